"""The text of an end-of-turn token at the end of what a server returns."""

from typing import Any

import pytest

from rollout_conformance.steps.peers.end_of_turn_texts import TEXTS, are_requested, left_in
from rollout_conformance.steps.profiles.chat.responses import ChatResponse
from rollout_conformance.steps.tests.chat_answers import asked, judged, said

END = "<|im_end|>"


@pytest.mark.parametrize("end", TEXTS)
def test_each_is_found_at_the_end_only(end: str) -> None:
    assert left_in(f"Eight.{end}\n") == end
    assert not left_in(f"The token {end} ends a turn.")
    assert not left_in(f"Eight.{end}", sent=f"Say {end}")
    assert not left_in("")


def found(content: str, **request: Any) -> set[str]:
    reply = said()
    reply["choices"][0] |= {"finish_reason": request.pop("finish", "stop")}
    reply["choices"][0]["message"] |= {"content": content}
    result = judged(ChatResponse("it", 0, asked(**request), 200, reply))
    return {one for one in result["broken"] if one == "CHAT-070"}


def test_a_message_that_ends_with_one_is_found() -> None:
    assert found(f"Five plus three is 8.{END}") == {"CHAT-070"}
    assert found("Five plus three is 8.</s>\n") == {"CHAT-070"}


@pytest.mark.parametrize(
    "request_",
    [
        {"skip_special_tokens": False},
        {"include_stop_str_in_output": True},
        {"no_stop_trim": True},
        {"messages": [{"role": "user", "content": f"Repeat {END}"}]},
        {"finish": "length"},
    ],
)
def test_one_that_was_asked_for_is_none(request_: dict[str, Any]) -> None:
    assert not found(f"Five plus three is 8.{END}", **request_)


def test_reasoning_may_not_end_with_one_either() -> None:
    reply = said()
    reply["choices"][0]["message"] |= {"reasoning_content": f"I add them.{END}"}
    assert "CHAT-070" in judged(ChatResponse("it", 0, asked(), 200, reply))["broken"]


@pytest.mark.parametrize(
    ("request_", "asks"),
    [
        ({}, False),
        ({"skip_special_tokens": True, "ignore_eos": False}, False),
        ({"skip_special_tokens": False}, True),
        ({"sampling_params": {"skip_special_tokens": False}}, True),
        ({"parameters": {"ignore_eos": True}}, True),
        ({"sampling_params": "none"}, False),
    ],
)
def test_what_a_request_asks_for_is_found_wherever_its_dialect_writes_it(request_: dict[str, Any], asks: bool) -> None:
    assert are_requested(request_) == asks
