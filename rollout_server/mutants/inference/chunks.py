"""Defects of chunks and of parameters that cannot be followed, as bug reports describe them."""

import re
from collections.abc import Iterator
from itertools import count
from typing import Any

from rollout_conformance.rollout_server.common.errors import ApiError
from rollout_conformance.rollout_server.inference import chat_completion, chat_stream, request_validation
from rollout_conformance.rollout_server.inference.chat_completion import ResponseContext
from rollout_conformance.rollout_server.inference.generation import Generation
from rollout_conformance.rollout_server.inference.sampling import Choice
from rollout_conformance.rollout_server.inference.wire import ChatRequest
from rollout_conformance.rollout_server.mutants.framework import Mutant, after, around, every

Chunks = Iterator[dict[str, Any]]

_numbers = count()


def _another_id(original: Any, context: ResponseContext, choice: dict[str, Any]) -> dict[str, Any]:
    return {**original(context, choice), "id": f"{context.id}-{next(_numbers)}"}


def _no_role(original: Any, context: ResponseContext, generation: Generation) -> Chunks:
    for chunk in original(context, generation):
        yield {**chunk, "choices": [{**choice, "delta": {"content": ""}} for choice in chunk["choices"]]}


def _never_stops(original: Any, context: ResponseContext, choice: dict[str, Any]) -> dict[str, Any]:
    ended = choice.get("finish_reason") == "stop"
    chunk: dict[str, Any] = original(context, {**choice, "finish_reason": None} if ended else choice)
    return chunk


def _with_calls(change: Any) -> Any:
    def deltas(original: Any, choice: Choice, start: int, end: int) -> Chunks:
        for delta in original(choice, start, end):
            calls = delta.get("tool_calls")
            yield {**delta, "tool_calls": change(calls)} if calls else delta

    return around(chat_stream, "deltas", deltas)


def _without_index(calls: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{name: value for name, value in call.items() if name != "index"} for call in calls]


def _no_logprobs(original: Any, *arguments: Any) -> dict[str, Any]:
    return {**original(*arguments), "logprobs": None}


def _replaced(text: str | None) -> str | None:
    return re.sub(r"[^\x00-\x7f]", "\ufffd", text) if text else text


def _replaced_in_message(message: dict[str, Any]) -> dict[str, Any]:
    return {**message, "content": _replaced(message["content"])}


def _replaced_in_stream(original: Any, choice: Choice, start: int, end: int) -> Chunks:
    for delta in original(choice, start, end):
        yield {**delta, "content": _replaced(delta["content"])} if "content" in delta else delta


def _drops_before_stop(original: Any, context: ResponseContext, choice: Choice, *where: int) -> Chunks:
    """Beside tools, the last text before a stop string is lost."""
    _, start, end = where
    lost = bool(context.request.tools and choice.stop_reason and start < len(choice.text) <= end)
    for chunk in original(context, choice, *where):
        (part,) = chunk["choices"]
        yield {**chunk, "choices": [{**part, "delta": {}}]} if lost else chunk


def _fails_on_bias(original: Any, request: ChatRequest) -> Iterator[ApiError]:
    if any(not id.isdigit() or int(id) > 10**6 for id in request.logit_bias or ()):
        raise ApiError(500, "internal_error", "index out of range")
    yield from original(request)


MUTANTS = (
    Mutant(
        "chunk_ids_change",
        breaks="052",
        what="each chunk of a stream has another id",
        patch=around(chat_stream, "chunk", _another_id),
    ),
    Mutant(
        "stream_no_role", breaks="052", what="no chunk has the role", patch=around(chat_stream, "opening", _no_role)
    ),
    Mutant(
        "stream_never_stops",
        breaks="051",
        what="a stream that ends by itself has no finish_reason",
        patch=around(chat_stream, "chunk", _never_stops),
    ),
    Mutant(
        "stream_calls_without_index",
        breaks="058",
        also=("021", "050"),
        what="the tool calls of a stream have no index",
        patch=_with_calls(_without_index),
    ),
    Mutant(
        "stream_call_is_object",
        breaks="050",
        also=("026", "038", "042", "043"),
        what="tool_calls of a delta is an object in place of a list",
        patch=_with_calls(lambda calls: calls[0]),
    ),
    Mutant(
        "logprobs_null",
        breaks="023",
        also=("037",),
        what="logprobs are null although requested",
        patch=every(
            around(chat_completion, "choice_body", _no_logprobs), around(chat_stream, "token_fields", _no_logprobs)
        ),
    ),
    Mutant(
        "stream_logprobs_lost",
        breaks="055",
        also=("023", "037"),
        what="streams have no logprobs although requested",
        patch=around(chat_stream, "token_fields", _no_logprobs),
    ),
    Mutant(
        "characters_replaced",
        breaks="021",
        what="characters of several tokens are U+FFFD in the content",
        patch=every(
            after(chat_completion, "message", _replaced_in_message), around(chat_stream, "deltas", _replaced_in_stream)
        ),
    ),
    Mutant(
        "stop_beside_tools_drops_text",
        breaks="050",
        what="beside tools a stream loses the text that arrives with a stop string",
        patch=around(chat_stream, "token_chunks", _drops_before_stop),
    ),
    Mutant(
        "unknown_bias_500",
        breaks="303",
        what="a bias of a token that does not exist is a server error",
        patch=around(request_validation, "weight_problems", _fails_on_bias),
    ),
)
