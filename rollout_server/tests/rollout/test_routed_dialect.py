"""The routed dialect: cancellation, reports and start requests."""

from typing import Any

import pytest
from pydantic import ValidationError

from rollout_conformance.contracts.rollout.wire_routed import CancelRequest
from rollout_conformance.rollout_server.rollout import errors, results, routed_dialect
from rollout_conformance.rollout_server.rollout.results import Counters, Result
from rollout_conformance.rollout_server.rollout.status_store import StatusStore

START: dict[str, Any] = {
    "rollout_id": "r1",
    "initial_messages": [{"role": "user", "content": "Please calculate 5 plus 3."}],
    "chat_completions_url": "http://localhost:9001/s/r1/v1/",
    "completion_callback_url": "http://localhost:9001/s/r1/completed",
    "grader_callback_url": "http://localhost:9001/s/r1/graded",
    "controller_api_key": "controller",
    "llm_api_key": "model",
    "label": "8",
}


def without(name: str, **more: Any) -> dict[str, Any]:
    return {key: value for key, value in {**START, **more}.items() if key != name}


def ended(answer: str = "The result is 8.", error: Any = None) -> Result:
    messages = (*START["initial_messages"], {"role": "assistant", "content": answer})
    start = routed_dialect.from_routed(START)
    if error is not None:
        return results.failed(start, messages, Counters(), error, {})
    return results.completed(start, messages, Counters(), "stop", {})


def test_requests_go_to_the_given_urls() -> None:
    start = routed_dialect.from_routed(START)
    assert start.chat_url == "http://localhost:9001/s/r1/v1/chat/completions"
    assert start.api_key == "model"
    assert routed_dialect.completion(start, ended()).url == START["completion_callback_url"]
    assert routed_dialect.completion(start, ended()).key == "controller"


@pytest.mark.parametrize("start", [without("llm_api_key"), {**START, "llm_api_key": None}])
def test_without_a_key_of_its_own_the_model_gets_the_controllers(start: dict[str, Any]) -> None:
    assert routed_dialect.from_routed(start).api_key == "controller"


def test_an_id_is_invented_where_none_is_given() -> None:
    first, second = (routed_dialect.from_routed(without("rollout_id")).rollout_id for _ in range(2))
    assert first != second


@pytest.mark.parametrize(
    "wrong",
    [{"rollout_id": "a/b"}, {"rollout_id": ".."}, {"rollout_id": ""}, {"llm_api_key": ""}, {"agent_timeout_sec": "1"}],
)
def test_invalid_requests_are_rejected(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        routed_dialect.from_routed({**START, **wrong})


@pytest.mark.parametrize(("answer", "reward"), [("The result is 8.", 1.0), ("The result is 9.", 0.0)])
def test_the_label_is_looked_for_in_the_last_answer(answer: str, reward: float) -> None:
    report = routed_dialect.grade(routed_dialect.from_routed(START), ended(answer))
    assert report is not None
    assert report.body["sample"]["reward"] == reward


def test_without_a_label_there_is_no_reward() -> None:
    report = routed_dialect.grade(routed_dialect.from_routed(without("label")), ended())
    assert report is not None
    assert "reward" not in report.body["sample"]


@pytest.mark.parametrize(("error", "status"), [(errors.network(), "failure"), (errors.cancelled(), "cancelled")])
def test_a_failure_or_cancellation_has_no_sample(error: Any, status: str) -> None:
    start = routed_dialect.from_routed(START)
    assert routed_dialect.grade(start, ended(error=error)) is None
    assert routed_dialect.completion(start, ended(error=error)).body["status"] == status


def test_a_cancellation_selects_running_and_queued_rollouts() -> None:
    statuses = StatusStore(limit=10)
    for name, status in (
        ("a-1", "running"),
        ("a-2", "queued"),
        ("a-3", "success"),
        ("b-1", "running"),
        ("a-4", "grading"),
    ):
        statuses.set(name, status)  # type: ignore[arg-type]
    assert statuses.matching(CancelRequest(prefix="a-")) == ["a-1", "a-2"]
    assert statuses.matching(CancelRequest(all=True)) == ["a-1", "a-2", "b-1"]
    named = statuses.matching(CancelRequest(ids=["a-2", "a-3", "x"]))
    assert [statuses.disposition(name) for name in named] == ["cancelled_queued", "not_found", "not_found"]


def test_the_status_store_removes_the_oldest_ended_rollout_only() -> None:
    statuses = StatusStore(limit=1)
    statuses.set("runs", "running")
    for name in ("first", "second"):
        statuses.set(name, "success")
    assert (statuses.get("runs"), statuses.get("first"), statuses.get("second")) == ("running", None, "success")
