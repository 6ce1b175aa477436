"""Defects of streams and disconnects."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from rollout_conformance.rollout_server.mutants.framework import Mutant, around, put
from rollout_conformance.rollout_server.router import endpoints, responses, usage
from rollout_conformance.rollout_server.router.streaming import Stream, interrupted_event


async def _poured(original: Any, self: Stream) -> AsyncIterator[bytes]:
    """Events are read from the backend as fast as they arrive, and queued for the client."""
    waiting: asyncio.Queue[bytes | None] = asyncio.Queue()

    async def pour() -> None:
        try:
            async for event in original(self):
                waiting.put_nowait(event)
        finally:
            waiting.put_nowait(None)

    pouring = asyncio.create_task(pour())
    try:
        while (event := await waiting.get()) is not None:
            yield event
    finally:
        pouring.cancel()
        await asyncio.gather(pouring, return_exceptions=True)


async def _left_open(original: Any, self: Stream) -> AsyncIterator[bytes]:
    async for event in original(self):
        if event == interrupted_event():
            await asyncio.Event().wait()  # until the client disconnects
        yield event


async def _at_once(original: Any, self: Stream) -> AsyncIterator[bytes]:
    for event in [event async for event in original(self)]:
        yield event


async def _deaf(receive: Any, work: Any) -> Any:
    return await work


async def _to_its_end(request: Any, work: Any) -> Any:
    """The work for a whole response, whether anybody waits for it or not."""
    return await work


def _small_only(original: Any, self: Stream, event: bytes) -> bytes | None:
    return original(self, event) if len(event) <= 64 * 1024 else None


def _without_usage(chunk: dict[str, Any], usage_options: Any) -> dict[str, Any] | None:
    return {n: v for n, v in chunk.items() if n != "usage"} if chunk.get("choices") else None


MUTANTS = (
    Mutant(
        "disconnect_ignored",
        breaks="008",
        what="the backend continues after a disconnect",
        patch=put(responses, "until_disconnect", _deaf),
    ),
    Mutant(
        "disconnect_before_response_ignored",
        breaks="008",
        what="the backend continues when the client disconnects before the response begins",
        patch=put(endpoints, "or_client_disconnected", _to_its_end),
    ),
    Mutant(
        "stream_buffered",
        breaks="014",
        also=("008", "058"),
        what="a stream is buffered to its end",
        patch=around(Stream, "events", _at_once),
    ),
    Mutant(
        "interrupted_stream_open",
        breaks="007",
        what="a stream stays open when its backend closes the connection",
        patch=around(Stream, "events", _left_open),
    ),
    Mutant(
        "large_events_lost",
        breaks="015",
        also=("058", "068"),
        what="an event of more than 64 KiB is dropped",
        patch=around(Stream, "_visible_part", _small_only),
    ),
    Mutant(
        "usage_chunk_shown",
        breaks="015",
        what="usage that was not requested",
        patch=put(usage, "visible_chunk", lambda chunk, _: chunk),
    ),
    Mutant(
        "usage_chunk_lost",
        breaks="015",
        also=("002", "036", "048"),
        what="requested usage is dropped",
        patch=put(usage, "visible_chunk", _without_usage),
    ),
    Mutant(
        "stream_poured",
        breaks="058",
        what="a stream is buffered without limit for a slow reader",
        patch=around(Stream, "events", _poured),
    ),
)
