"""A stop string that the suite takes from the text of the model, and what is judged with it."""

from typing import Any

import pytest

from rollout_conformance.steps.engine.findings import Finding
from rollout_conformance.steps.engine.trace import Trace
from rollout_conformance.steps.http.responses import Responses
from rollout_conformance.steps.profiles.chat.expectations.text import StoppedBefore
from rollout_conformance.steps.profiles.chat.responses import ChatResponse
from rollout_conformance.steps.profiles.chat.stop_strings import stop_string
from rollout_conformance.steps.profiles.chat.view import CaseView
from rollout_conformance.steps.tests.chat_answers import BENCH, asked, body

FULL = "The sea is wide and the sea is deep."


@pytest.mark.parametrize(
    ("text", "stop"),
    [(FULL, "nd the"), ("", None), ("short", None), ("aaaaaaaaaaaa", None), ("abc\ufffddef", None)],
)
def test_a_stop_string_begins_within_a_word_and_has_not_occurred_before(text: str, stop: str | None) -> None:
    assert stop_string(text, 6) == stop


def test_three_letters_are_of_one_word() -> None:
    assert stop_string("The blue Zuerich", 3) == "uer"
    assert stop_string("ab ab ab ab ab", 3) is None


@pytest.mark.parametrize(
    ("content", "finish", "findings"),
    [
        ("The sea is wide a", "stop", 0),
        ("The sea is wide and the", "stop", 1),
        (FULL, "stop", 1),
        ("The sea is", "stop", 1),
        ("The sea is wide a", "length", 1),
        ("Another text", "stop", 0),
    ],
)
def test_the_text_before_the_stop_string_is_the_content(content: str, finish: str, findings: int) -> None:
    def reply(name: str, n: int, text: str, **more: Any) -> ChatResponse:
        return ChatResponse(name, n, asked(**more), 200, body({"content": text}, finish if more else "stop"))

    replies = [reply("full", 0, FULL), reply("cut", 1, content, stop="nd the")]
    view = CaseView(Trace(), Responses.of(replies), BENCH)
    found = StoppedBefore(of=("cut",), full="full").judge(view, "CHAT-033")
    assert sum(isinstance(one, Finding) for one in found) == findings
