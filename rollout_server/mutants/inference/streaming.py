"""Defects of streams, where the answer as one body is right."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

from rollout_conformance.rollout_server.inference import chat_stream, generation, tool_call_parser
from rollout_conformance.rollout_server.inference.chat_completion import Told
from rollout_conformance.rollout_server.inference.sampling import Choice
from rollout_conformance.rollout_server.mutants.framework import after, around, put
from rollout_conformance.rollout_server.mutants.inference.planting import mutant


def _loses_a_word(original: Any, choice: Choice, start: int, end: int) -> Iterator[dict[str, Any]]:
    """What covers the middle of the content is not sent."""
    middle = tool_call_parser.content_end(choice.text, choice.calls) // 2
    for delta in original(choice, start, end):
        if not ("content" in delta and start <= middle < end):
            yield delta


def _two_roles(original: Any, choice: Choice, start: int, end: int) -> Iterator[dict[str, Any]]:
    for delta in original(choice, start, end):
        yield {"role": "assistant", **delta} if start == 0 else delta


async def _at_once(original: Any, *arguments: Any) -> AsyncIterator[bytes]:
    """Everything is held back until there is no more to come."""
    for event in [event async for event in original(*arguments)]:
        yield event


def _ids_lost(original: Any, told: Told, choice: Choice, place: int) -> Any:
    return [] if place == 0 and told.request.return_token_ids else original(told, choice, place)


def _named_again(original: Any, choice: Any, start: int, end: int) -> Any:
    """Each fragment of a call brings another id."""
    for delta in original(choice, start, end):
        calls = delta.get("tool_calls")
        yield {**delta, "tool_calls": [{**call, "id": f"call_{start}"} for call in calls]} if calls else delta


def _later(original: Any, told: Told, choice: dict[str, Any]) -> dict[str, Any]:
    chunk: dict[str, Any] = original(told, choice)
    return {**chunk, "created": told.created + 1}


def _typed_as_json() -> None:
    generation.MEDIA_TYPE = "application/json"


def _last_token_only(usage: Any) -> Any:
    return {**usage, "completion_tokens": 1, "total_tokens": usage["prompt_tokens"] + 1}


MUTANTS = (
    mutant("stream_as_json", "a stream says it is JSON", _typed_as_json, requirement="057"),
    mutant(
        "usage_of_the_last",
        "a stream counts one token",
        after(chat_stream, "counted", _last_token_only),
        requirement="059",
        companions=("011",),
    ),
    mutant(
        "ids_change",
        "each piece of a call has another id",
        around(chat_stream, "deltas", _named_again),
        requirement="058",
    ),
    mutant(
        "stream_differs",
        "a word is lost",
        around(chat_stream, "deltas", _loses_a_word),
        requirement="050",
        companions=("021", "026"),
    ),
    mutant(
        "stream_no_done",
        "the stream ends without [DONE]",
        around(chat_stream, "closing", lambda original, *a: [*original(*a)][:-1]),
        requirement="051",
    ),
    mutant("stream_two_roles", "the role comes twice", around(chat_stream, "deltas", _two_roles), requirement="052"),
    mutant("stream_ages", "created is later in later chunks", around(chat_stream, "chunk", _later), requirement="062"),
    mutant(
        "stream_usage_unasked",
        "usage that nobody asked for",
        put(chat_stream, "wants_usage", lambda told: True),
        requirement="053",
    ),
    mutant(
        "stream_at_once",
        "all chunks come at the end",
        around(chat_stream, "events", _at_once),
        requirement="054",
        companions=("056",),
    ),
    mutant(
        "stream_ids_lost",
        "the id of the first token is lost",
        around(chat_stream, "streamed_ids", _ids_lost),
        requirement="055",
        companions=("011", "021", "023", "026", "038"),
    ),
)
