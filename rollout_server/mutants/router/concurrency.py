"""Defects of concurrency limits, memory and shutdown."""

import asyncio
from typing import Any

from rollout_conformance.rollout_server.common.errors import ApiError
from rollout_conformance.rollout_server.mutants.framework import Mutant, around, put
from rollout_conformance.rollout_server.router import errors, service
from rollout_conformance.rollout_server.router.app_state import AppState
from rollout_conformance.rollout_server.router.backend_client import BackendError, BackendReply
from rollout_conformance.rollout_server.router.responses import EventStream
from rollout_conformance.rollout_server.router.streaming import Stream


def _unbounded(self: AppState) -> None:
    self.running += 1


_one_at_a_time = asyncio.Lock()


def _place_kept(original: Any, self: Stream) -> None:
    if not self.closed and not self.finished:
        self.lifecycle.app_state.running += 1
    original(self)


async def _place_kept_by_errors(original: Any, app_state: Any, *arguments: Any) -> Any:
    try:
        return await original(app_state, *arguments)
    except ApiError as error:
        app_state.running += error.code.startswith("backend")
        raise


def _silent_overload(original: Any) -> ApiError:
    error: ApiError = original()
    error.headers = {}
    return error


async def _in_line(original: Any, self: EventStream, send: Any) -> None:
    async def waiting(message: Any) -> None:
        async with _one_at_a_time:
            await send(message)

    await original(self, waiting)


def _hasty(original: Any, self: Stream, event: bytes) -> bytes | None:
    if self.lifecycle.app_state.stopping:
        raise BackendError("invalid")
    passed: bytes | None = original(self, event)
    return passed


MUTANTS = (
    Mutant(
        "overload_unlimited",
        breaks="037",
        what="any number of requests runs concurrently",
        patch=put(AppState, "enter", _unbounded),
    ),
    Mutant(
        "overload_untold",
        breaks="037",
        what="overload has no Retry-After",
        patch=around(errors, "overloaded", _silent_overload),
    ),
    Mutant(
        "places_lost_by_streams",
        breaks="038",
        also=("040",),
        what="a disconnect keeps a slot",
        patch=around(Stream, "close", _place_kept),
    ),
    Mutant(
        "places_lost_by_errors",
        breaks="038",
        also=("040",),
        what="a failure of all backends keeps a slot",
        patch=around(service, "serve_new", _place_kept_by_errors),
    ),
    Mutant(
        "slow_reader_stops_all",
        breaks="057",
        what="streams wait for each other",
        patch=around(EventStream, "_send", _in_line),
    ),
    Mutant(
        "reply_unbounded",
        breaks="059",
        what="the size of a response is not limited",
        patch=around(BackendReply, "read_all", lambda original, self, _: original(self, 2**62)),
    ),
    Mutant(
        "streams_end_at_once",
        breaks="065",
        what="shutdown interrupts running streams",
        patch=around(Stream, "_visible_part", _hasty),
    ),
)
