"""Defects of the shape of responses, as bug reports describe them: of chunks, of deltas and of calls."""

import json
from collections.abc import Iterator
from typing import Any

from rollout_conformance.rollout_server.inference import (
    chat_completion,
    chat_stream,
    errors,
    request_validation,
    tool_call_parser,
)
from rollout_conformance.rollout_server.inference.chat_completion import ResponseContext
from rollout_conformance.rollout_server.inference.sampling import Choice
from rollout_conformance.rollout_server.inference.wire import ChatRequest
from rollout_conformance.rollout_server.mutants.framework import Mutant, after, around

Deltas = Iterator[dict[str, Any]]


def _first_index_at_the_end(original: Any, context: ResponseContext, choice: dict[str, Any]) -> dict[str, Any]:
    ended = choice.get("finish_reason") is not None
    chunk: dict[str, Any] = original(context, {**choice, "index": 0} if ended else choice)
    return chunk


def _all_so_far(original: Any, choice: Choice, start: int, end: int) -> Deltas:
    """Each delta of content holds the whole text so far."""
    for delta in original(choice, start, end):
        visible = min(end, tool_call_parser.content_end(choice.text, choice.calls))
        yield {**delta, "content": choice.text[:visible]} if "content" in delta else delta


def _finish_twice(original: Any, context: ResponseContext, choice: Choice, *where: int) -> Iterator[dict[str, Any]]:
    """After the chunk with the last text comes another one with a finish reason."""
    for chunk in original(context, choice, *where):
        yield chunk
        if chunk["choices"][0]["finish_reason"] is not None:
            yield chat_stream.chunk(context, chat_stream.choice_delta(choice, {}) | {"finish_reason": "stop"})


def _calls_stop(original: Any, context: ResponseContext, choice: dict[str, Any]) -> dict[str, Any]:
    ended = choice.get("finish_reason") == "tool_calls"
    chunk: dict[str, Any] = original(context, {**choice, "finish_reason": "stop"} if ended else choice)
    return chunk


def _first_call(original: Any, choice: Choice, start: int, end: int) -> Deltas:
    for delta in original(choice, start, end):
        calls = delta.get("tool_calls")
        yield {**delta, "tool_calls": [{**call, "index": 0} for call in calls]} if calls else delta


def _beheaded(original: Any, choice: Choice, start: int, end: int) -> Deltas:
    """The first fragment of the arguments is lost where it is more than a brace."""
    begins = [call.begin for call in choice.calls]
    for delta in original(choice, start, end):
        fragment = (delta.get("tool_calls") or [{}])[0].get("function", {}).get("arguments")
        first = fragment is not None and any(max(start, begin) == begin for begin in begins if begin < end)
        if not first:
            yield delta


def _arguments_again(original: Any, context: ResponseContext, choice: Choice, *where: int) -> Iterator[dict[str, Any]]:
    """Before the end of a choice the arguments of its last call come once more, as from a parser that flushes what it has sent."""
    for chunk in original(context, choice, *where):
        if chunk["choices"][0]["finish_reason"] and choice.calls:
            again = {"index": len(choice.calls) - 1, "function": {"arguments": choice.calls[-1].arguments}}
            yield chat_stream.chunk(context, chat_stream.choice_delta(choice, {"tool_calls": [again]}))
        yield chunk


def _empty_reason(original: Any, context: ResponseContext, choice: dict[str, Any]) -> dict[str, Any]:
    chunk: dict[str, Any] = original(context, {**choice, "finish_reason": choice.get("finish_reason") or ""})
    return chunk


def _as_objects(message: dict[str, Any]) -> dict[str, Any]:
    calls = message.get("tool_calls")
    return {**message, "tool_calls": [_with_object(call) for call in calls]} if calls else message


def _with_object(call: dict[str, Any]) -> dict[str, Any]:
    function = call["function"]
    try:
        return {**call, "function": {**function, "arguments": json.loads(function["arguments"])}}
    except ValueError:
        return call


def _no_zero_alternatives(original: Any, request: ChatRequest) -> Any:
    yield from original(request)
    if request.logprobs and request.top_logprobs == 0:
        yield errors.bad("top_logprobs must be positive.", "top_logprobs")


MUTANTS = (
    Mutant(
        "finish_at_index_0",
        breaks="051",
        also=("036", "038", "050", "055"),
        what="the chunk that ends a choice has the index 0",
        patch=around(chat_stream, "chunk", _first_index_at_the_end),
    ),
    Mutant(
        "stream_cumulative",
        breaks="050",
        also=("021", "023", "044", "026"),
        what="each delta holds the whole text so far",
        patch=around(chat_stream, "deltas", _all_so_far),
    ),
    Mutant(
        "finish_twice",
        breaks="051",
        also=("038", "050"),
        what="a stream has two chunks with a finish reason",
        patch=around(chat_stream, "token_chunks", _finish_twice),
    ),
    Mutant(
        "stream_calls_stop",
        breaks="050",
        also=("038",),
        what="a stream that has a tool call ends with `stop`",
        patch=around(chat_stream, "chunk", _calls_stop),
    ),
    Mutant(
        "stream_calls_at_index_0",
        breaks="058",
        also=("050", "021", "040", "022", "026", "043"),
        what="every tool call of a stream has the index 0",
        patch=around(chat_stream, "deltas", _first_call),
    ),
    Mutant(
        "stream_arguments_beheaded",
        breaks="050",
        also=("040", "022", "026", "043", "042"),
        what="the first fragment of the arguments of a streamed call is lost",
        patch=around(chat_stream, "deltas", _beheaded),
    ),
    Mutant(
        "arguments_are_objects",
        breaks="040",
        also=("020", "021", "022", "026", "042", "043", "050", "015"),
        what="the arguments of a call are an object",
        patch=after(chat_completion, "message", _as_objects),
    ),
    Mutant(
        "stream_arguments_again",
        breaks="050",
        also=("021", "022", "026", "040", "042", "043"),
        what="at the end of a stream the arguments of a call are sent once more",
        patch=around(chat_stream, "token_chunks", _arguments_again),
    ),
    Mutant(
        "stream_finish_reason_empty",
        breaks="051",
        also=("*",),
        what="finish_reason is an empty text until the end of a choice",
        patch=around(chat_stream, "chunk", _empty_reason),
    ),
    Mutant(
        "no_zero_alternatives",
        breaks="037",
        also=("*",),
        what="logprobs with top_logprobs 0 are rejected",
        patch=around(request_validation, "output_problems", _no_zero_alternatives),
    ),
)
