"""Defects under load: places that are lost, readers that stop all others, and memory that is filled."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from rollout_conformance.rollout_server.mutants.framework import around
from rollout_conformance.rollout_server.mutants.router.planting import mutant
from rollout_conformance.rollout_server.router import errors, service
from rollout_conformance.rollout_server.router.backend_client import FailedError, Reply
from rollout_conformance.rollout_server.router.errors import RouterError
from rollout_conformance.rollout_server.router.responses import Streamed
from rollout_conformance.rollout_server.router.streaming import Stream

_one_at_a_time = asyncio.Lock()


def _place_kept(original: Any, self: Stream) -> None:
    if not self.closed and not self.finished:
        self.run.kit.running += 1
    original(self)


async def _place_kept_by_errors(original: Any, kit: Any, *arguments: Any) -> Any:
    try:
        return await original(kit, *arguments)
    except RouterError as error:
        kit.running += error.code.startswith("backend")
        raise


def _silent_overload(original: Any) -> RouterError:
    error: RouterError = original()
    error.headers = {}
    return error


async def _in_line(original: Any, self: Streamed, send: Any) -> None:
    async def waiting(message: Any) -> None:
        async with _one_at_a_time:
            await send(message)

    await original(self, waiting)


async def _poured(original: Any, self: Stream) -> AsyncIterator[bytes]:
    """Everything is taken from the backend as fast as it comes, and waits here for its reader."""
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


def _hasty(original: Any, self: Stream, event: bytes) -> bytes | None:
    if self.run.kit.stopping:
        raise FailedError("invalid")
    passed: bytes | None = original(self, event)
    return passed


MUTANTS = (
    mutant("places_lost_by_streams", "who leaves keeps a place", around(Stream, "close", _place_kept), "038", ("040",)),
    mutant(
        "places_lost_by_errors",
        "a failure of all backends keeps a place",
        around(service, "fresh", _place_kept_by_errors),
        "038",
        ("040",),
    ),
    mutant(
        "overload_untold", "nobody learns when to come again", around(errors, "overloaded", _silent_overload), "037"
    ),
    mutant("slow_reader_stops_all", "streams wait for each other", around(Streamed, "_send", _in_line), "057"),
    mutant("stream_poured", "a stream waits in the memory", around(Stream, "events", _poured), "058"),
    mutant(
        "reply_unbounded",
        "an answer may have any size",
        around(Reply, "whole", lambda original, self, _: original(self, 2**62)),
        "059",
    ),
    mutant("streams_end_at_once", "what runs is broken off at the end", around(Stream, "_passed", _hasty), "065"),
)
