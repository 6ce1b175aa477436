"""Defects of streams, where the non-streamed response is right."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from typing import Any

from rollout_conformance.rollout_server.common.errors import ApiError
from rollout_conformance.rollout_server.inference import (
    chat_stream,
    endpoints,
    generation,
    tool_call_parser,
)
from rollout_conformance.rollout_server.inference.chat_completion import ResponseContext
from rollout_conformance.rollout_server.inference.generation import Generation
from rollout_conformance.rollout_server.inference.sampling import Choice
from rollout_conformance.rollout_server.mutants.framework import Mutant, after, around, put

_going_on: set[Any] = set()


def _goes_on(original: Any, self: Generation) -> None:
    """Generation continues after a disconnect."""
    if self.ended or self.done == max(len(choice.texts) for choice in self.choices):
        original(self)
        return
    task = asyncio.ensure_future(_to_the_end(original, self))
    _going_on.add(task)
    task.add_done_callback(_going_on.discard)


async def _to_the_end(original: Any, run: Generation) -> None:
    await run.complete()
    original(run)


def _leaks_slots() -> None:
    """The slot of a request whose client disconnects is never released."""
    slots, original = asyncio.Semaphore(8), endpoints.ChatCompletions.post

    async def post(self: endpoints.ChatCompletions, request: Any) -> Any:
        await slots.acquire()
        try:
            return await original(self, request)
        except ApiError:
            slots.release()
            raise

    def end(original: Any, self: Generation) -> None:
        if not self.ended and self.done >= max((len(choice.texts) for choice in self.choices), default=1):
            slots.release()
        original(self)

    put(endpoints.ChatCompletions, "post", post)()
    around(Generation, "end", end)()


def _loses_a_word(original: Any, choice: Choice, start: int, end: int) -> Iterator[dict[str, Any]]:
    """The delta in the middle of the content is not sent."""
    middle = tool_call_parser.content_end(choice.text, choice.calls) // 2
    for delta in original(choice, start, end):
        if not ("content" in delta and start <= middle < end):
            yield delta


def _two_roles(original: Any, choice: Choice, start: int, end: int) -> Iterator[dict[str, Any]]:
    for delta in original(choice, start, end):
        yield {"role": "assistant", **delta} if start == 0 else delta


async def _at_once(original: Any, *arguments: Any) -> AsyncIterator[bytes]:
    """All events are sent at the end."""
    for event in [event async for event in original(*arguments)]:
        yield event


def _ids_lost(original: Any, context: ResponseContext, choice: Choice, place: int) -> Any:
    return [] if place == 0 and context.request.return_token_ids else original(context, choice, place)


def _named_again(original: Any, choice: Any, start: int, end: int) -> Any:
    """Each fragment of a call has another id."""
    for delta in original(choice, start, end):
        calls = delta.get("tool_calls")
        yield {**delta, "tool_calls": [{**call, "id": f"call_{start}"} for call in calls]} if calls else delta


def _id_again(original: Any, choice: Choice, start: int, end: int) -> Any:
    """Each fragment of a call has its id."""
    for delta in original(choice, start, end):
        calls = [{**call, "id": choice.calls[call["index"]].id} for call in delta.get("tool_calls") or ()]
        yield {**delta, "tool_calls": calls} if calls else delta


def _first_alternatives(original: Any, context: ResponseContext, choice: Choice, position: int) -> dict[str, Any]:
    """Each token of a stream has the alternatives of the first one."""
    found: dict[str, Any] = original(context, choice, position)
    if not context.request.top_logprobs or not found["logprobs"]:
        return found
    alternatives = choice.logprobs[0]["top_logprobs"]
    content = [{**entry, "top_logprobs": alternatives} for entry in found["logprobs"]["content"]]
    return {**found, "logprobs": {"content": content}}


def _later(original: Any, context: ResponseContext, choice: dict[str, Any]) -> dict[str, Any]:
    chunk: dict[str, Any] = original(context, choice)
    return {**chunk, "created": context.created + 1}


def _ends_as_call(original: Any, context: ResponseContext, choice: Choice, *position: int) -> Iterator[dict[str, Any]]:
    """A call that the token limit cut ends as if it were whole."""
    ended = replace(choice, finish_reason="tool_calls") if choice.calls and choice.finish_reason == "length" else choice
    yield from original(context, ended, *position)


def _no_logprobs_in_calls(original: Any, context: ResponseContext, choice: Choice, position: int) -> dict[str, Any]:
    found: dict[str, Any] = original(context, choice, position)
    return {**found, "logprobs": None} if choice.calls else found


def _typed_as_json() -> None:
    generation.MEDIA_TYPE = "application/json"


def _last_token_only(usage: Any) -> Any:
    return {**usage, "completion_tokens": 1, "total_tokens": usage["prompt_tokens"] + 1}


MUTANTS = (
    Mutant(
        "stream_differs",
        breaks="050",
        also=("021", "026"),
        what="a word is lost",
        patch=around(chat_stream, "deltas", _loses_a_word),
    ),
    Mutant(
        "stream_no_done",
        breaks="051",
        what="the stream ends without [DONE]",
        patch=around(chat_stream, "closing", lambda original, *a: [*original(*a)][:-1]),
    ),
    Mutant(
        "stream_two_roles", breaks="052", what="the role comes twice", patch=around(chat_stream, "deltas", _two_roles)
    ),
    Mutant(
        "stream_usage_unasked",
        breaks="053",
        what="usage that was not requested",
        patch=put(chat_stream, "wants_usage", lambda context: True),
    ),
    Mutant(
        "stream_at_once",
        breaks="054",
        also=("056",),
        what="all chunks come at the end",
        patch=around(chat_stream, "events", _at_once),
    ),
    Mutant(
        "stream_ids_lost",
        breaks="055",
        also=("011", "021", "023", "026", "038"),
        what="the id of the first token is lost",
        patch=around(chat_stream, "streamed_ids", _ids_lost),
    ),
    Mutant(
        "stream_cut_call_ends_as_call",
        breaks="038",
        also=("020",),
        what="a streamed call that max_tokens cut ends with tool_calls",
        patch=around(chat_stream, "token_chunks", _ends_as_call),
    ),
    Mutant(
        "stream_logprobs_lost_in_calls",
        breaks="055",
        also=("023",),
        what="chunks of a response with calls have no logprobs",
        patch=around(chat_stream, "token_fields", _no_logprobs_in_calls),
    ),
    Mutant(
        "abort_ignored",
        breaks="056",
        what="generation continues after a disconnect",
        patch=around(Generation, "end", _goes_on),
    ),
    Mutant(
        "slots_lost_on_disconnect",
        breaks="056",
        what="a slot is lost whenever a client disconnects",
        patch=_leaks_slots,
    ),
    Mutant("stream_as_json", breaks="057", what="a stream has the content type application/json", patch=_typed_as_json),
    Mutant(
        "ids_change",
        breaks="058",
        what="each fragment of a call has another id",
        patch=around(chat_stream, "deltas", _named_again),
    ),
    Mutant(
        "id_in_every_fragment",
        breaks="069",
        what="each fragment of a call has the id of the call",
        patch=around(chat_stream, "deltas", _id_again),
    ),
    Mutant(
        "alternatives_of_the_first",
        breaks="037",
        also=("066",),
        what="each token of a stream has the alternatives of the first one",
        patch=around(chat_stream, "token_fields", _first_alternatives),
    ),
    Mutant(
        "usage_of_the_last",
        breaks="059",
        also=("011",),
        what="usage of a stream counts one token",
        patch=after(chat_stream, "stream_usage", _last_token_only),
    ),
    Mutant(
        "stream_ages", breaks="062", what="created changes between chunks", patch=around(chat_stream, "chunk", _later)
    ),
)
