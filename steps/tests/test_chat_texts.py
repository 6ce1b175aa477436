"""What counts as text of a choice, for what a response must not contain."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from rollout_conformance.steps.profiles.chat.expectations.text import NotContains
from rollout_conformance.steps.profiles.chat.responses import Choice

CALL = {"id": "call_5", "type": "function", "function": {"name": "add", "arguments": '{"a": 7}'}}


def holds(text: str, **message: Any) -> bool:
    choice = Choice(
        {"message": message, "token_ids": [5], "logprobs": {"content": [{"token": "5"}]}, "stop_reason": "5"}
    )
    response = cast("Any", SimpleNamespace(choices=[choice], first_choice=choice))
    return NotContains(text).check(response, cast("Any", None)).ok


def test_digits_of_ids_and_logprobs_are_no_text() -> None:
    """A response that ended before the stop string 5 was accused, for a token id that has this digit."""
    assert holds("5", content="1 2 3 4 ", tool_calls=[CALL])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Zürich", {"content": "in Zürich"}),
        ("secret", {"content": "a", "reasoning_content": "the secret"}),
        ("7", {"content": None, "tool_calls": [CALL]}),
    ],
)
def test_content_reasoning_and_arguments_are(text: str, message: dict[str, Any]) -> None:
    assert not holds(text, **message)
