"""What the calls of a completion break: the case's own requirement, that a call was demanded, or only the form of its arguments."""

from typing import Any

import pytest

from rollout_conformance.steps.http.checks import Check
from rollout_conformance.steps.profiles.chat.expectations.tools import ToolCalls
from rollout_conformance.steps.profiles.chat.responses import ChatResponse
from rollout_conformance.steps.tests.chat_answers import asked, said

VIEW: Any = None


def checked(arguments: str | None, name: str = "add", **request: Any) -> Check:
    """A completion with one call, none where `arguments` is None, of a request for a call of `add`."""
    reply = said()
    call = {"id": "call_1", "type": "function", "function": {"name": name, "arguments": arguments}}
    reply["choices"][0]["message"] |= {"tool_calls": [] if arguments is None else [call]}
    return ToolCalls(("add",), requested=True).check(ChatResponse("it", 0, asked(**request), 200, reply), VIEW)


def test_the_right_call_keeps_what_the_case_is_about() -> None:
    check = checked('{"a": 5}')
    assert (check.ok, check.requirement) == (True, "")


@pytest.mark.parametrize("arguments", ["true", "0", '["a"]', "{"])
def test_arguments_that_are_no_object_are_what_is_wrong_with_the_right_call(arguments: str) -> None:
    check = checked(arguments)
    assert (check.ok, check.requirement, check.ignored) == (False, "CHAT-040", False)


@pytest.mark.parametrize("arguments", ['{"a": 5}', "true"])
def test_another_call_is_judged_by_the_case(arguments: str) -> None:
    assert (checked(arguments, "subtract").ok, checked(arguments, "subtract").requirement) == (False, "")


def test_no_call_where_one_was_demanded() -> None:
    assert checked(None, tool_choice="required").requirement == "CHAT-042"
