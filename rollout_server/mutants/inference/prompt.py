"""Defects of the prompt: parts of the conversation that the policy does not see, or sees changed."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from rollout_conformance.rollout_server.common.errors import ApiError
from rollout_conformance.rollout_server.inference import (
    chat_prompt,
    errors,
    request_validation,
    rule_based_model,
)
from rollout_conformance.rollout_server.inference.wire import ChatRequest, Conversation
from rollout_conformance.rollout_server.mutants.framework import Mutant, after, around
from rollout_conformance.rollout_server.mutants.inference.patches import compact, with_changes


def _first_parts(messages: Any) -> Any:
    """Only the first part of a message is read."""
    return [{**m, "content": m["content"][:1]} if isinstance(m.get("content"), list) else m for m in messages]


def _without_parts_of(role: str) -> Callable[[Any], Any]:
    """Content in parts is read in messages of other roles only."""

    def history(messages: Any) -> Any:
        empty = [m.get("role") == role and isinstance(m.get("content"), list) for m in messages]
        return [{**m, "content": ""} if drops else m for m, drops in zip(messages, empty, strict=True)]

    return history


def _one_system_message(messages: Any) -> Any:
    """A system message that does not come first is dropped."""
    return [message for n, message in enumerate(messages) if n == 0 or message.get("role") != "system"]


def _system_first(messages: Any) -> Any:
    """System messages within the conversation are moved to its beginning."""
    return sorted(messages, key=lambda message: message.get("role") != "system")


def _no_developer(messages: Any) -> Any:
    """Developer messages are dropped, as by templates that do not know the role."""
    return [message for message in messages if message.get("role") != "developer"]


def _no_tools(original: Any, tokens: Any, request: ChatRequest) -> Any:
    return original(tokens, with_changes(request, tools=None))


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


def _joined(messages: Conversation) -> Conversation:
    """The results of one turn are one result."""
    joined: list[Mapping[str, Any]] = []
    for message in messages:
        if joined and message.get("role") == joined[-1].get("role") == "tool":
            joined[-1] = {**joined[-1], "content": f"{joined[-1].get('content')}\n{message.get('content')}"}
        else:
            joined.append(message)
    return joined


def _in_words(messages: Conversation) -> Conversation:
    return [{**message, "content": "None"} if message.get("content") is None else message for message in messages]


def _no_null(original: Any, request: ChatRequest, settings: Any) -> None:
    if any(m.get("content") is None for m in request.messages):
        raise errors.bad("the content of a message is a text", "messages")
    original(request, settings)


def _no_absent(original: Any, request: ChatRequest, settings: Any) -> None:
    if any("content" not in m for m in request.messages):
        raise errors.bad("each message needs a content", "messages")
    original(request, settings)


def _no_empty(original: Any, request: ChatRequest, settings: Any) -> None:
    if any(m.get("role") == "assistant" and m.get("content") == "" for m in request.messages):
        raise errors.bad("an assistant message must have content", "messages")
    original(request, settings)


def _only_short_ids(original: Any, request: ChatRequest, settings: Any) -> None:
    """The template knows ids of nine characters, and the server returns longer ones."""
    ids = [call["id"] for message in request.messages for call in message.get("tool_calls") or ()]
    if any(len(one) > 9 for one in ids):
        raise errors.bad("the id of a tool call has at most nine characters", "messages")
    original(request, settings)


def _parses_arguments(original: Any, request: ChatRequest, settings: Any) -> None:
    """Arguments of earlier calls that are no JSON are a server error."""
    for message in request.messages:
        for call in message.get("tool_calls") or ():
            try:
                json.loads(call["function"]["arguments"])
            except ValueError:
                raise ApiError(500, "InternalServerError", "Internal server error") from None
    original(request, settings)


def _deaf_to_parts(original: Any, request: ChatRequest) -> str:
    return "" if isinstance(request.messages[-1].get("content"), list) else str(original(request))


MUTANTS = (
    Mutant(
        "one_system_message",
        breaks="013",
        also=("025",),
        what="a system message in the middle is dropped",
        patch=after(chat_prompt, "history", _one_system_message),
    ),
    Mutant(
        "system_messages_first",
        breaks="025",
        also=("026",),
        what="system messages within the conversation are moved to its beginning",
        patch=after(chat_prompt, "history", _system_first),
    ),
    Mutant(
        "results_joined",
        breaks="025",
        what="the results of several calls are rendered as one result",
        patch=after(chat_prompt, "history", _joined),
    ),
    Mutant(
        "none_as_text",
        breaks="025",
        also=("026", "043"),
        what="the content of a message without text is rendered as the word None",
        patch=after(chat_prompt, "history", _in_words),
    ),
    Mutant(
        "developer_dropped",
        breaks="013",
        what="developer messages are accepted and dropped",
        patch=after(chat_prompt, "history", _no_developer),
    ),
    Mutant(
        "last_message_only",
        breaks="013",
        also=("014", "025", "026", "027", "028", "043"),
        what="earlier turns are not read",
        patch=after(chat_prompt, "history", _last_only),
    ),
    Mutant(
        "first_part",
        breaks="014",
        what="only the first part of a message is read",
        patch=after(chat_prompt, "history", _first_parts),
    ),
    Mutant(
        "tool_parts_dropped",
        breaks="014",
        what="the result of a tool in parts is read as empty",
        patch=after(chat_prompt, "history", _without_parts_of("tool")),
    ),
    Mutant(
        "assistant_parts_dropped",
        breaks="014",
        what="an assistant message in parts is read as empty",
        patch=after(chat_prompt, "history", _without_parts_of("assistant")),
    ),
    Mutant(
        "partless",
        breaks="014",
        what="content in parts is ignored",
        patch=around(rule_based_model, "last_question", _deaf_to_parts),
    ),
    Mutant(
        "no_null_content",
        breaks="015",
        also=("026", "043", "022", "025", "027", "028", "040", "050"),
        what="null content is rejected",
        patch=around(request_validation, "check", _no_null),
    ),
    Mutant(
        "no_absent_content",
        breaks="015",
        what="an assistant message without the member content is rejected",
        patch=around(request_validation, "check", _no_absent),
    ),
    Mutant(
        "no_empty_content",
        breaks="015",
        also=("040", "026"),
        what="an assistant message with empty content is rejected",
        patch=around(request_validation, "check", _no_empty),
    ),
    Mutant(
        "own_call_ids_rejected",
        breaks="015",
        also=("*",),
        what="earlier calls are rejected for the ids that the server gave them",
        patch=around(request_validation, "check", _only_short_ids),
    ),
    Mutant(
        "cut_arguments_500",
        breaks="303",
        what="earlier calls with arguments that are no JSON are a server error",
        patch=around(request_validation, "check", _parses_arguments),
    ),
    Mutant(
        "prompt_ids_of_text_only",
        breaks="025",
        also=("012",),
        what="the prompt lacks the tools",
        patch=around(chat_prompt, "chat_ids", _no_tools),
    ),
    Mutant(
        "history_reasoning_stripped",
        breaks="027",
        what="the template drops the reasoning of earlier turns",
        patch=after(chat_prompt, "history", _no_reasoning),
    ),
    Mutant(
        "history_arguments_reserialized",
        breaks="028",
        also=("025", "026"),
        what="the arguments of earlier calls are serialized again",
        patch=after(chat_prompt, "history", _written_anew),
    ),
)
