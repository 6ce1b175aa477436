"""A completion that a limit ends, and one that the model ended before."""

from typing import Any

import pytest

from rollout_conformance.steps.engine.findings import Finding
from rollout_conformance.steps.engine.trace import Trace
from rollout_conformance.steps.http.responses import Responses
from rollout_conformance.steps.profiles.chat.expectations.text import Truncated
from rollout_conformance.steps.profiles.chat.responses import ChatResponse
from rollout_conformance.steps.profiles.chat.view import CaseView
from rollout_conformance.steps.tests.chat_answers import BENCH, asked


def reply(name: str, n: int, tokens: int, finish: str, **more: Any) -> ChatResponse:
    choice = {"index": 0, "message": {"role": "assistant", "content": "a" * tokens}, "finish_reason": finish}
    answer = {"choices": [choice], "usage": {"completion_tokens": tokens}}
    return ChatResponse(name, n, asked(**more), 200, answer)


@pytest.mark.parametrize(
    ("tokens", "finish", "whole", "breaks"),
    [
        (3, "length", 20, False),
        (3, "stop", 20, True),  # the limit ended it, as the whole completion shows
        (3, "stop", 3, None),  # the model ends after three tokens
        (2, "stop", 2, None),
        (2, "stop", 20, True),
        (2, "length", 20, True),
        (9, "stop", 9, True),
    ],
)
def test_an_end_of_the_model_before_the_limit_shows_nothing(
    tokens: int, finish: str, whole: int, breaks: bool | None
) -> None:
    replies = [reply("whole", 0, whole, "stop"), reply("cut", 1, tokens, finish, max_tokens=3)]
    view = CaseView(Trace(), Responses.of(replies), BENCH)
    found = list(Truncated(of=("cut",), tokens=3, longer="whole").judge(view, "CHAT-034"))
    assert [isinstance(one, Finding) for one in found] == ([] if breaks is None else [breaks])


@pytest.mark.parametrize(("ignore_eos", "breaks"), [(False, []), (True, [True])])
def test_ignore_eos_lets_no_model_end_before_the_limit(ignore_eos: bool, breaks: list[bool]) -> None:
    view = CaseView(Trace(), Responses.of([reply("cut", 0, 2, "stop", max_tokens=3, ignore_eos=ignore_eos)]), BENCH)
    found = Truncated(of=("cut",), tokens=3).judge(view, "CHAT-034")
    assert [isinstance(one, Finding) for one in found] == breaks
