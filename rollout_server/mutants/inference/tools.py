"""Defects of tool calls and response_format."""

import json
from collections.abc import Iterator
from typing import Any

from rollout_conformance.rollout_server.inference import (
    chat_completion,
    chat_prompt,
    chat_stream,
    rule_based_model,
    tool_call_parser,
)
from rollout_conformance.rollout_server.inference.sampling import Choice
from rollout_conformance.rollout_server.inference.tool_call_parser import Call
from rollout_conformance.rollout_server.inference.wire import ChatRequest
from rollout_conformance.rollout_server.mutants.framework import Mutant, after, around, every, put


def _never(mode: str) -> Any:
    """A `tool_choice` that is treated as `auto`."""

    def change(original: Any, request: ChatRequest) -> str:
        found = str(original(request))
        return "auto" if found == mode and request.tools else found

    return around(chat_prompt, "mode", change)


def _deaf_to_tools(said: dict[str, Any]) -> dict[str, Any]:
    context = str(said.get("content") or "")
    return {**said, "content": "I was told something."} if context.startswith("The result") else said


def _any_object(original: Any, request: ChatRequest, content: str) -> str:
    """A schema is treated as `json_object`."""
    form = request.response_format
    if form is not None and form.type == "json_schema":
        return json.dumps({"answer": content})
    return str(original(request, content))


def _calls_nameless(message: dict[str, Any]) -> dict[str, Any]:
    calls = message.get("tool_calls")
    return {**message, "tool_calls": [{**call, "id": None} for call in calls]} if calls else message


def _equal_ids(message: dict[str, Any]) -> dict[str, Any]:
    calls = message.get("tool_calls")
    return {**message, "tool_calls": [{**call, "id": calls[0]["id"]} for call in calls]} if calls else message


def _empty_for_none(call: Call) -> str:
    return "" if call.arguments == "{}" else call.arguments


def _empty_for_none_streamed(original: Any, choice: Choice, start: int, end: int) -> Iterator[dict[str, Any]]:
    """No fragment of `{}` is sent."""
    for delta in original(choice, start, end):
        calls = delta.get("tool_calls", ())
        if not any("arguments" in call["function"] and choice.calls[call["index"]].arguments == "{}" for call in calls):
            yield delta


MUTANTS = (
    Mutant(
        "calls_share_an_id",
        breaks="040",
        what="all calls of a message have one id",
        patch=after(chat_completion, "message", _equal_ids),
    ),
    Mutant(
        "no_arguments_empty",
        breaks="040",
        what="the arguments of a call without arguments are an empty text",
        patch=every(
            put(tool_call_parser, "arguments", _empty_for_none),
            around(chat_stream, "deltas", _empty_for_none_streamed),
        ),
    ),
    Mutant(
        "calls_nameless",
        breaks="040",
        also=("015", "026", "020", "042", "043"),
        what="tool calls have no id",
        patch=after(chat_completion, "message", _calls_nameless),
    ),
    Mutant(
        "ignores_tool_choice_none", breaks="041", what="tools are called with tool_choice none", patch=_never("none")
    ),
    Mutant(
        "ignores_tool_choice_required",
        breaks="042",
        also=("038",),
        what="text with tool_choice required",
        patch=_never("required"),
    ),
    Mutant(
        "deaf_to_tools",
        breaks="043",
        what="the result of a tool is ignored",
        patch=after(rule_based_model, "reply_to_question", _deaf_to_tools),
    ),
    Mutant(
        "no_json",
        breaks="044",
        also=("045",),
        what="response_format is ignored",
        patch=put(rule_based_model, "in_response_format", lambda request, content: content),
    ),
    Mutant(
        "any_object",
        breaks="045",
        what="a JSON schema is treated as any object",
        patch=around(rule_based_model, "in_response_format", _any_object),
    ),
    Mutant(
        "calls_at_once",
        breaks="046",
        what="parallel_tool_calls is ignored",
        patch=put(rule_based_model, "first_call_if_serial", lambda request, said: said),
    ),
)
