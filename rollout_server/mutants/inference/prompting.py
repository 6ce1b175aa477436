"""Defects of the prompt: parts of the conversation that the policy never sees, or sees written in another way."""

from collections.abc import Mapping
from typing import Any

from rollout_conformance.rollout_server.inference import chat_prompt, errors, request_validation, rule_based_model
from rollout_conformance.rollout_server.inference.wire import ChatRequest, Conversation
from rollout_conformance.rollout_server.mutants.framework import after, around
from rollout_conformance.rollout_server.mutants.inference.planting import another, compact, mutant


def _no_tools(original: Any, tokens: Any, request: ChatRequest) -> Any:
    return original(tokens, another(request, tools=None))


def _no_reasoning(messages: Conversation) -> Conversation:
    return [{name: value for name, value in m.items() if "reasoning" not in name} for m in messages]


def _written_anew(messages: Conversation) -> Conversation:
    return [{**m, "tool_calls": [*map(_call, m["tool_calls"])]} if m.get("tool_calls") else m for m in messages]


def _call(call: Mapping[str, Any]) -> dict[str, Any]:
    function = call["function"]
    return {**call, "function": {**function, "arguments": compact(function.get("arguments"))}}


def _last_only(messages: Conversation) -> Conversation:
    """Only the system message and the last one are read."""
    return [m for m in messages[:-1] if m.get("role") == "system"] + list(messages[-1:])


def _no_null(original: Any, request: ChatRequest, settings: Any) -> None:
    if any(m.get("content") is None for m in request.messages):
        raise errors.bad("the content of a message is a text", "messages")
    original(request, settings)


def _deaf_to_parts(original: Any, request: ChatRequest) -> str:
    return "" if isinstance(request.messages[-1].get("content"), list) else str(original(request))


MUTANTS = (
    mutant(
        "partless", "content in parts is not read", around(rule_based_model, "asked", _deaf_to_parts), requirement="014"
    ),
    mutant(
        "no_null_content",
        "null is no content",
        around(request_validation, "check", _no_null),
        requirement="015",
        companions=("026", "043", "022", "025", "027", "028", "040", "050"),
    ),
    mutant(
        "last_message_only",
        "earlier turns are not read",
        after(chat_prompt, "history", _last_only),
        requirement="013",
        companions=("025", "026", "027", "028", "043"),
    ),
    mutant(
        "prompt_ids_of_text_only",
        "the prompt is without the tools",
        around(chat_prompt, "of_chat", _no_tools),
        requirement="025",
        companions=("012",),
    ),
    mutant(
        "history_reasoning_stripped",
        "the template drops the reasoning of earlier turns",
        after(chat_prompt, "history", _no_reasoning),
        requirement="027",
    ),
    mutant(
        "history_arguments_reserialized",
        "the arguments of earlier calls are written anew",
        after(chat_prompt, "history", _written_anew),
        requirement="028",
        companions=("025", "026"),
    ),
)
