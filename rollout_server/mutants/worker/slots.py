"""Slots that ended jobs keep, and a worker that does not exit."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable
from dataclasses import replace
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive

from rollout_conformance.rollout_server.common.errors import RequestError
from rollout_conformance.rollout_server.mutants.framework import Mutant, around, every
from rollout_conformance.rollout_server.mutants.worker.patches import ALL, LLAMA, TGI, VLLM, WITH_CANCEL, endpoint
from rollout_conformance.rollout_server.worker import app, endpoints, native_endpoints
from rollout_conformance.rollout_server.worker.endpoints import Execute
from rollout_conformance.rollout_server.worker.errors import JobError
from rollout_conformance.rollout_server.worker.native_endpoints import Generate
from rollout_conformance.rollout_server.worker.scheduler import Scheduler, Ticket
from rollout_conformance.rollout_server.worker.worker import Worker

DAY_S = 86_400


def _lose_slot(scheduler: Scheduler) -> None:
    scheduler.limits = replace(scheduler.limits, slots=max(scheduler.limits.slots - 1, 0))


def _lost_on_stop(original: Any, self: Scheduler, ticket: Ticket, outcome: str) -> None:
    if outcome == "stop_sequence":
        _lose_slot(self)
    original(self, ticket, outcome)


def _lost_on_length(original: Any, self: Scheduler, ticket: Ticket, outcome: str) -> None:
    if outcome == "max_tokens":
        _lose_slot(self)
    original(self, ticket, outcome)


async def _lost_when_rejected(original: Any, self: Generate, request: Request) -> Response:
    response: Response = await original(self, request)
    if response.status_code in (400, 422):
        _lose_slot(endpoints.accepting(endpoints.worker_of(request)))
    return response


async def _lost_on_rejection(original: Any, self: Execute, request: Request) -> Response:
    try:
        return await original(self, request)  # type: ignore[no-any-return]
    except (JobError, RequestError):
        _lose_slot(endpoints.accepting(endpoints.worker_of(request)))
        raise


@contextlib.asynccontextmanager
async def _lingering(original: Any, worker: Worker) -> AsyncIterator[None]:
    async with original(worker):
        yield
    await asyncio.sleep(DAY_S)


async def _unwatched(original: Any, receive: Receive, job: Awaitable[Any]) -> Any:
    return await job


def _deaf_to_waiting(original: Any, self: Scheduler, id: str) -> bool:
    ticket = self.by_id.get(id)
    return True if ticket in self.waiting else bool(original(self, id))


MUTANTS = (
    Mutant(
        "cancel_ignored_while_waiting",
        breaks="045",
        what="the cancellation of a job that waits has no effect",
        patch=around(Scheduler, "cancel", _deaf_to_waiting),
        dialects=WITH_CANCEL,
    ),
    Mutant(
        "whole_disconnect_ignored",
        breaks="049",
        what="a job without a stream runs to its end although its client has left",
        patch=around(native_endpoints, "until_disconnect", _unwatched),
        dialects=(*VLLM, *TGI, *LLAMA),
    ),
    Mutant(
        "slot_lost_on_stop",
        breaks="121",
        also=("*",),
        what="a job that a stop text ends keeps its slot",
        patch=around(Scheduler, "_finish", _lost_on_stop),
        dialects=ALL,
    ),
    Mutant(
        "slot_lost_on_length",
        breaks="121",
        also=("*",),
        what="a job that reached its limit keeps its slot",
        patch=around(Scheduler, "_finish", _lost_on_length),
        dialects=ALL,
    ),
    Mutant(
        "slot_lost_on_rejection",
        breaks="121",
        also=("*",),
        what="a job that is rejected keeps a slot",
        patch=every(endpoint(Execute, "post", _lost_on_rejection), endpoint(Generate, "post", _lost_when_rejected)),
        dialects=ALL,
    ),
    Mutant(
        "sigterm_ignored",
        breaks="122",
        what="a worker that is sent SIGTERM ends its jobs and does not exit",
        patch=around(app, "lifespan", _lingering),
        dialects=ALL,
    ),
)
