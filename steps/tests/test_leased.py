"""A lease that expires because the machine is busy proves nothing; one that expires while the result is requested does."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from rollout_conformance.steps.profiles.rollout.dialect_bodies import leased_result_of
from rollout_conformance.steps.profiles.rollout.invariants.leased import unrequested
from rollout_conformance.steps.profiles.rollout.view import Chat, Rollout


def rollout(began: list[float], lease: float = 2.0, wait: float = 0.5, failed: bool = True) -> Rollout:
    fields = {"polling_lease_timeout_sec": lease, "result_wait_timeout_sec": wait}
    start = SimpleNamespace(status=202, fields=fields, exchange=SimpleNamespace(began=0.0, ended=0.0))
    polls = [SimpleNamespace(exchange=SimpleNamespace(began=at, ended=at + 0.1)) for at in began]
    return cast(Rollout, SimpleNamespace(starts=(start,), polls=polls, is_error=lambda: failed))


@pytest.mark.parametrize(
    ("began", "busy"), [([0.1, 0.6, 1.1], False), ([0.1, 1.5], True), ([1.9], True), ([], False)], ids=str
)
def test_a_gap_between_two_requests_for_a_result(began: list[float], busy: bool) -> None:
    assert (unrequested(rollout(began)) is not None) is busy


def test_neither_a_success_nor_a_server_that_lets_requests_wait_for_long_is_excused() -> None:
    assert unrequested(rollout([1.9], failed=False)) is None
    assert unrequested(rollout([0.1, 30.1], lease=40, wait=30)) is None


@pytest.mark.parametrize("content", [None, ""])
def test_a_streamed_message_has_its_content_either_way(content: str | None) -> None:
    issued = SimpleNamespace(message={"role": "assistant", "content": None, "tool_calls": []})
    streamed = Chat(cast(Any, None), {"stream": True}, cast(Any, issued), True)
    whole = Chat(cast(Any, None), {}, cast(Any, issued), True)
    assert streamed.as_received({"content": content}) == {"role": "assistant", "content": content}
    assert streamed.as_received({"content": "x"}) == {"role": "assistant", "content": None}
    assert whole.as_received({"content": content}) == issued.message


@pytest.mark.parametrize("seen", [{"content": "x"}, {"content": "x", "reasoning_content": ""}])
def test_a_streamed_message_has_its_empty_reasoning_either_way(seen: dict[str, Any]) -> None:
    issued = SimpleNamespace(message={"content": "x", "reasoning_content": ""})
    assert Chat(cast(Any, None), {"stream": True}, cast(Any, issued), True).as_received(seen) == seen


def test_a_streamed_call_has_its_index_and_its_empty_arguments_either_way() -> None:
    call = {"index": 0, "id": "c", "function": {"name": "add"}}
    issued = SimpleNamespace(message={"role": "assistant", "content": "x", "tool_calls": [call]})
    streamed = Chat(cast(Any, None), {"stream": True}, cast(Any, issued), True)
    whole = Chat(cast(Any, None), {}, cast(Any, issued), True)
    for seen in (call, {"id": "c", "function": {"name": "add", "arguments": ""}}):
        message = {"role": "assistant", "content": "x", "tool_calls": [seen]}
        assert streamed.as_received(message) == message
        assert whole.as_received(message) == issued.message
    other = {"id": "c", "function": {"name": "add", "arguments": "{}"}}
    assert streamed.as_received({"tool_calls": [other]})["tool_calls"] == [{"id": "c", "function": {"name": "add"}}]


def test_a_failed_result_shows_no_conversation() -> None:
    sample = {"messages": [{"role": "user"}], "reward": 1.0, "extra_fields": {"finish_reason": "stop"}}
    success = leased_result_of({"rollout_id": "a", "status": "success", "sample": sample})
    failure = leased_result_of({"rollout_id": "a", "status": "failure", "sample": sample, "err_category": "timeout"})
    assert (success["status"], success["finish_reason"], success["reward"]) == ("COMPLETED", "stop", 1.0)
    assert (failure["status"], failure["extra_fields"]) == ("ERROR", {"error_category": "timeout"})
    assert "final_messages" not in failure
