"""A record that could not be read shows nothing of its rollout."""

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from rollout_conformance.steps.engine import http_client
from rollout_conformance.steps.engine.cases import Case, Step
from rollout_conformance.steps.engine.findings import Cause, Location
from rollout_conformance.steps.engine.session import Session
from rollout_conformance.steps.engine.trace import Request, Response, Trace
from rollout_conformance.steps.profiles.trainer.actions import ReadRecord
from rollout_conformance.steps.profiles.trainer.expectations import ControlStatus, RecordShows
from rollout_conformance.steps.profiles.trainer.profile import PROFILE
from rollout_conformance.steps.profiles.trainer.state import CaseView, RolloutState
from rollout_conformance.steps.tests import virtual_time

AT = Location("scenarios/trainer/x.yaml", 3)
SHOWS_END = RecordShows(status=("TIMEOUT", "ERROR"))


def cause_of(status: int | None, expectation: Any = SHOWS_END) -> Cause | None:
    trace = Trace()
    n = trace.open(Request("GET", "/rollouts/a"), to_target=True, rollout="a")
    answer = None if status is None else Response(status, (), b'{"detail": "later"}')
    trace.close(n, answer, None if answer else "no answer within 60 s")
    rollout, tokens = RolloutState("a", records=[n]), None
    case = Case("c", "trainer", "sync", ("TRAINER-198",), (Step(expectation, AT),), AT)
    view: Any = CaseView(trace, "sync", {"a": rollout}, tokens, None)  # type: ignore[arg-type]
    return PROFILE.cause(case, view)


@pytest.mark.parametrize(("status", "told"), [(None, "no answer within 60 s"), (503, '503 {"detail":"later"}')])
def test_a_record_that_could_not_be_read_is_asked_for_again(status: int | None, told: str) -> None:
    found = cause_of(status)
    assert found is not None
    assert (found.finding, found.again) == (None, True)
    assert found.reason == f"the record of the rollout could not be read: {told}"


@pytest.mark.parametrize("status", [200, 404, 500])
def test_another_answer_is_for_the_case_to_judge(status: int) -> None:
    assert cause_of(status) is None


def test_a_case_about_the_status_of_the_reading_judges_it() -> None:
    assert cause_of(503, ControlStatus((404,), "record")) is None


def test_a_reading_without_a_response_is_no_end() -> None:
    """The record is read again until it shows an end."""
    answers: list[Any] = [
        httpx.ReadError("reset"),
        {"status": "running"},
        httpx.ReadError("reset"),
        {"status": "TIMEOUT"},
    ]

    async def body(raw: bytes) -> AsyncIterator[bytes]:
        yield raw

    def handler(request: httpx.Request) -> httpx.Response:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return httpx.Response(200, content=body(json.dumps(answer).encode()))

    async def play() -> None:
        client = http_client.client(transport=httpx.MockTransport(handler))
        one: Any = Session("http://target", client, Trace(), 10.0, 0.0)
        one.context = type("Context", (), {"target_key": None, "key": None})()
        one.state["rollouts"] = {"": RolloutState("a")}
        await ReadRecord(wait_for_end=True).perform(one)
        (last,) = one.state["rollouts"][""].records
        assert json.loads(one.trace.exchanges[last].response.body) == {"status": "TIMEOUT"}

    virtual_time.run(play())
    assert answers == []
