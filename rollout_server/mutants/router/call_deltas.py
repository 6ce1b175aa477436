"""Defects of streams that are written anew for the client: of their tool calls, of the halves of characters, and of errors."""

import json
from collections.abc import AsyncIterator, Callable, Iterator
from copy import deepcopy
from typing import Any

from rollout_conformance.rollout_server.common import sse
from rollout_conformance.rollout_server.mutants.framework import Mutant, Patch, around
from rollout_conformance.rollout_server.router import failover
from rollout_conformance.rollout_server.router.streaming import Stream

Json = dict[str, Any]
Rewritten = Callable[[Json], Iterator[Json]]


def _rewritten(change: Rewritten) -> Patch:
    """Each chunk becomes the chunks that `change` gives."""

    def visible(original: Callable[[Stream, bytes], bytes | None], self: Stream, event: bytes) -> bytes | None:
        passed = original(self, event)
        text = sse.data(passed) if passed else None
        chunk = failover.parse_json(text) if text else None
        if not isinstance(chunk, dict) or not chunk.get("choices"):
            return passed
        made = list(change(deepcopy(chunk)))
        return passed if made == [chunk] else b"".join(_escaped(one) for one in made)

    return around(Stream, "_visible_part", visible)


def _escaped(chunk: Json) -> bytes:
    """JSON can escape half a character, which UTF-8 cannot hold."""
    return b"data: " + json.dumps(chunk).encode() + b"\n\n"


def _calls(chunk: Json) -> list[Json]:
    return [call for choice in chunk["choices"] for call in (choice.get("delta") or {}).get("tool_calls") or ()]


def _anonymous(chunk: Json) -> Iterator[Json]:
    """Calls after the first have neither id nor name."""
    for call in _calls(chunk):
        if call.get("index"):
            call.pop("id", None)
            (call.get("function") or {}).pop("name", None)
    yield chunk


def _opened_twice(chunk: Json) -> Iterator[Json]:
    yield chunk
    if any(call.get("id") for call in _calls(chunk)):
        yield chunk


def _halves(chunk: Json) -> Iterator[Json]:
    """A character of two units of UTF-16 becomes two deltas."""
    content = (chunk["choices"][0].get("delta") or {}).get("content")
    if not isinstance(content, str) or all(ord(letter) < 0x10000 for letter in content):
        yield chunk
        return
    units = content.encode("utf-16-le", "surrogatepass")
    for start in range(0, len(units), 2):
        half = units[start : start + 2].decode("utf-16-le", "surrogatepass")
        first = {**chunk["choices"][0], "delta": {**chunk["choices"][0]["delta"], "content": half}}
        yield {**chunk, "choices": [first, *chunk["choices"][1:]]}


async def _summed_up(original: Callable[[Stream], AsyncIterator[bytes]], self: Stream) -> AsyncIterator[bytes]:
    """Before [DONE] all calls are sent once more, their arguments encoded a second time."""
    arguments: dict[int, str] = {}
    async for event in original(self):
        for one in sse.Splitter().feed(event):
            chunk = failover.parse_json(sse.data(one) or b"")
            for call in _calls(chunk) if isinstance(chunk, dict) and chunk.get("choices") else ():
                part = (call.get("function") or {}).get("arguments") or ""
                arguments[call.get("index", 0)] = arguments.get(call.get("index", 0), "") + part
            if arguments and sse.is_done(one):
                calls = [{"index": n, "function": {"arguments": json.dumps(text)}} for n, text in arguments.items()]
                yield sse.event(
                    {"object": "chat.completion.chunk", "choices": [{"index": 0, "delta": {"tool_calls": calls}}]}
                )
            yield one


MUTANTS = (
    Mutant(
        "later_calls_anonymous",
        breaks="015",
        what="in a stream the tool calls after the first have neither id nor name",
        patch=_rewritten(_anonymous),
    ),
    Mutant(
        "calls_opened_twice",
        breaks="015",
        what="the first delta of a tool call is sent twice",
        patch=_rewritten(_opened_twice),
    ),
    Mutant(
        "calls_summed_up",
        breaks="015",
        what="at the end of a stream all tool calls are sent once more, with arguments that are encoded twice",
        patch=around(Stream, "_backend_chunks", _summed_up),
    ),
    Mutant(
        "halves_of_emoji",
        breaks="015",
        also=("002", "036", "066"),
        what="an emoji becomes two deltas of half a character each",
        patch=_rewritten(_halves),
    ),
)
