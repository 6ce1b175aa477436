"""Defects of limits, deadlines and many rollouts at once."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from typing import Any

from starlette.responses import Response

from rollout_conformance.rollout_server.common.responses import json_response
from rollout_conformance.rollout_server.mutants.dialects import CALLBACK
from rollout_conformance.rollout_server.mutants.framework import Mutant, around, put
from rollout_conformance.rollout_server.mutants.rollout.patches import change_request
from rollout_conformance.rollout_server.rollout import (
    concurrency,
    endpoints,
    errors,
    generation,
    request_reader,
    start_request,
)
from rollout_conformance.rollout_server.rollout.concurrency import Slots
from rollout_conformance.rollout_server.rollout.service import Service

_last_id = [""]


def _stranger(body: dict[str, Any], rollout: Any) -> dict[str, Any]:
    other, _last_id[0] = _last_id[0], rollout.start.rollout_id
    return {**body, "previous": other} if other else body


_arrived: dict[str, float] = {}


async def _noting_arrival(original: Any, self: Any, asked: Any) -> Any:
    _arrived[asked.rollout_id] = time.monotonic()
    return await original(self, asked)


async def _with_the_queue(self: Any, state: Any) -> str:
    """The deadline begins at the start request, so it includes the time in the queue."""
    allowed = self.app_state.settings.timeout_s
    waited = time.monotonic() - _arrived[state.start.rollout_id]
    try:
        async with asyncio.timeout(allowed - waited):
            return str(await self.agent.run(state, self.app_state))
    except TimeoutError as error:
        raise errors.rollout_timeout(allowed) from error


def _deadline_from_arrival() -> None:
    around(Service, "run_to_result", _noting_arrival)()
    put(Service, "within_deadline", _with_the_queue)()


def _refuses_the_rest() -> None:
    around(Slots, "__init__", lambda original, self, running, waiting: original(self, running, 0))()
    put(endpoints, "RETRY", {})()


async def _init_when_free(self: Any, request: Any) -> Response:
    service = endpoints.service_of(request)
    asked = await request_reader.read_start(request, service.app_state.settings, start_request.from_callback)
    end = time.monotonic() + 4
    reply = endpoints.or_rejection(lambda: service.accept(asked))
    while service.active > 3 and time.monotonic() < end:
        await asyncio.sleep(0.02)
    return json_response(reply, 202)


@contextlib.asynccontextmanager
async def _no_waiting(self: Slots) -> AsyncIterator[None]:
    if self._free.locked():
        await asyncio.Event().wait()
    async with self._free:
        yield


_stuck: dict[int, float] = {}


async def _queues_behind(original: Any, rollout: Any, request: Any, app_state: Any) -> Any:
    """While another generation request is open for long, no new one is sent, for at most six seconds."""
    me, end = id(rollout), time.monotonic() + 6
    while time.monotonic() < end and any(time.monotonic() - since > 0.001 for since in _stuck.values()):
        await asyncio.sleep(0.01)
    _stuck[me] = time.monotonic()
    try:
        return await original(rollout, request, app_state)
    finally:
        _stuck.pop(me, None)


def _leaks() -> None:
    """One of ten ended rollouts counts as active forever."""
    put(Service, "active", property(lambda self: len(self.runs) + self.app_state.metrics.count // 10))()


def _wide(original: Any, self: Any, running: int, waiting: int) -> None:
    original(self, 1000, waiting)


MUTANTS = (
    Mutant(
        "stranger", breaks="159", what="a generation request names another rollout", patch=change_request(_stranger)
    ),
    Mutant(
        "no_limit",
        breaks="160",
        what="the concurrency limit is not kept",
        patch=around(concurrency.Slots, "__init__", _wide),
    ),
    Mutant("refuses_the_rest", breaks="161", what="beyond the limit 429 without Retry-After", patch=_refuses_the_rest),
    Mutant(
        "init_when_free",
        breaks="162",
        also=("004",),
        what="the 202 waits for a slot",
        patch=put(endpoints.CallbackInit, "post", _init_when_free),
        dialects=CALLBACK,
    ),
    Mutant(
        "queues_on_time", breaks="163", what="the deadline includes the time in the queue", patch=_deadline_from_arrival
    ),
    Mutant(
        "no_waiting",
        breaks="164",
        also=("146", "160", "163"),
        what="a rollout that has to wait never runs",
        patch=put(concurrency.Slots, "slot", _no_waiting),
    ),
    Mutant(
        "queues_behind",
        breaks="165",
        also=("064", "136", "145", "159", "163", "240"),
        what="one generation request at a time",
        patch=around(generation, "send", _queues_behind),
    ),
    Mutant("leaks", breaks="204", what="some ended rollouts count as active forever", patch=_leaks),
)
