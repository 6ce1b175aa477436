"""Defects of jobs: cancellation, disconnects, ids, slots, the queue."""

from collections.abc import Iterator
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from rollout_conformance.rollout_server.common.responses import json_response
from rollout_conformance.rollout_server.mutants.framework import Mutant, around, every, put
from rollout_conformance.rollout_server.mutants.worker.patches import ALL, ORCD, SGLANG, WITH_CANCEL, endpoint, writing
from rollout_conformance.rollout_server.worker import errors, job_stream, native_endpoints, sglang
from rollout_conformance.rollout_server.worker.endpoints import Cancel
from rollout_conformance.rollout_server.worker.errors import JobError
from rollout_conformance.rollout_server.worker.jobs import Ended, Event, Failed, Job, Token
from rollout_conformance.rollout_server.worker.scheduler import Scheduler, Ticket

TOGETHER = 2


async def _cancel_known(original: Any, self: Cancel, request: Request) -> Response:
    response: Response = await original(self, request)
    return response if b'"cancelled":true' in bytes(response.body) else json_response({"error": "unknown"}, 404)


async def _cancel_failing(original: Any, self: Cancel, request: Request) -> Response:
    response: Response = await original(self, request)
    return response if b'"cancelled":true' in bytes(response.body) else json_response({"error": "KeyError"}, 500)


def _native_cancel_failing(original: Any, worker: Any, id: str) -> None:
    if id not in worker.scheduler.by_id:
        raise RuntimeError
    original(worker, id)


async def _cancel_anything(original: Any, self: Cancel, request: Request) -> Response:
    return json_response({"cancelled": False}, 202)


def _ignored(original: Any, self: Scheduler, id: str) -> bool:
    return id in self.by_id


def _all_of_them(original: Any, self: Scheduler, id: str) -> bool:
    found = id in self.by_id
    self.fail_all("CANCELLED")
    return found


def _silently(original: Any, self: Scheduler, id: str) -> bool:
    """The job stops, and its stream stays open without an end."""
    ticket = self.by_id.get(id)
    if ticket is not None:
        self._finish(ticket, "cancelled")
    return ticket is not None


def _next_too(original: Any, self: Scheduler, id: str) -> bool:
    self.poisoned = True  # type: ignore[attr-defined]
    return bool(original(self, id))


def _poisoned(original: Any, self: Scheduler, job: Job) -> Ticket:
    """The job after a cancelled one is cancelled as well."""
    ticket: Ticket = original(self, job)
    if getattr(self, "poisoned", False):
        self.poisoned = False  # type: ignore[attr-defined]
        self._fail(ticket, "CANCELLED")
    return ticket


def _cancelled_as_end(original: Any, self: Any, happened: Event) -> Iterator[bytes]:
    if isinstance(happened, Failed) and happened.code == "CANCELLED":
        yield from original(self, Ended("max_tokens", happened.tokens_out, 0.001))
    else:
        yield from original(self, happened)


def _leaking(original: Any, self: Scheduler, ticket: Ticket) -> None:
    """The slot of a client that has left stays taken."""
    if not ticket.done:
        ticket.done = True
        del self.by_id[ticket.job.id]
        self.running = [one for one in self.running if one is not ticket]
        self.limits = type(self.limits)(
            max(self.limits.slots - 1, 0),
            self.limits.queue,
            self.limits.cache_tokens,
            self.limits.job_timeout_s,
            self.limits.fail_after,
        )


async def _deaf(receive: Any, work: Any) -> Any:
    return await work


def _shared(original: Any, self: Scheduler, job: Job) -> Ticket:
    """A second job with the id of a running one reads the events of the first."""
    return self.by_id.get(job.id) or original(self, job)


def _mixed(original: Any, self: Scheduler, ticket: Ticket, events: list[Event]) -> None:
    """With several jobs in slots, a token now and then goes to another job."""
    others = [one for one in self.running if one is not ticket]
    for event in events:
        wrong = others and isinstance(event, Token) and event.i == TOGETHER
        target = others[0] if wrong else ticket
        original(self, target, [event]) if not isinstance(event, Ended) else original(self, ticket, [event])


def _full(original: Any) -> JobError:
    return JobError(500, "INTERNAL", "queue full")


def _whole(original: Any, ticket: Ticket) -> Any:
    return _gathered(original, ticket)


async def _gathered(original: Any, ticket: Ticket) -> Any:
    for event in [event async for event in original(ticket)]:
        yield event


def _last_emptied(original: Any, writer: Any, result: Any, reason: Any) -> Any:
    body = original(writer, result, reason)
    if reason is not None and reason["type"] == "abort":
        return body | {"text": "", "output_ids": []}
    return body


MUTANTS = (
    Mutant(
        "cancel_unknown_404",
        breaks="044",
        what="the cancellation of an unknown job is 404",
        patch=endpoint(Cancel, "post", _cancel_known),
        dialects=ORCD,
    ),
    Mutant(
        "cancel_ended_500",
        breaks="108",
        also=("044",),
        what="the cancellation of a job that has ended is 500",
        patch=endpoint(Cancel, "post", _cancel_failing),
        dialects=ORCD,
    ),
    Mutant(
        "abort_ended_500",
        breaks="108",
        also=("044",),
        what="the abort of a job that has ended is 500",
        patch=around(native_endpoints, "cancel", _native_cancel_failing),
        dialects=("vllm-generate", "sglang"),
    ),
    Mutant(
        "cancel_without_id",
        breaks="048",
        also=("045",),
        what="a cancellation is accepted without being read",
        patch=endpoint(Cancel, "post", _cancel_anything),
        dialects=ORCD,
    ),
    Mutant(
        "cancel_ignored",
        breaks="045",
        what="a cancelled job runs to its end",
        patch=around(Scheduler, "cancel", _ignored),
        dialects=WITH_CANCEL,
    ),
    Mutant(
        "cancel_hangs",
        breaks="045",
        also=("005", "107"),
        what="the stream of a cancelled job stays open",
        patch=around(Scheduler, "cancel", _silently),
        dialects=WITH_CANCEL,
    ),
    Mutant(
        "cancel_all",
        breaks="046",
        what="a cancellation ends all jobs",
        patch=around(Scheduler, "cancel", _all_of_them),
        dialects=WITH_CANCEL,
    ),
    Mutant(
        "cancel_next",
        breaks="047",
        what="the job after a cancelled one is cancelled too",
        patch=every(around(Scheduler, "cancel", _next_too), around(Scheduler, "submit", _poisoned)),
        dialects=WITH_CANCEL,
    ),
    Mutant(
        "cancelled_as_length",
        breaks="110",
        what="a cancelled job reports that it reached its limit",
        patch=writing(_cancelled_as_end),
        dialects=ORCD,
    ),
    Mutant(
        "abort_empties",
        breaks="107",
        also=(
            "104",
            "009",
            "102",
        ),
        what="the last event of an aborted job has none of its tokens",
        patch=around(sglang, "body", _last_emptied),
        dialects=SGLANG,
    ),
    Mutant(
        "disconnect_ignored",
        breaks="049",
        what="a job runs to its end after its client has left",
        patch=every(
            put(job_stream, "until_disconnect", _deaf),
            put(native_endpoints, "until_disconnect", _deaf),
        ),
        dialects=ALL,
    ),
    Mutant(
        "slot_leaks",
        breaks="049",
        also=("005",),
        what="the slot of a job whose client has left stays taken",
        patch=around(Scheduler, "abandon", _leaking),
        dialects=ALL,
    ),
    Mutant(
        "duplicate_shared",
        breaks="052",
        also=("008",),
        what="a second job with a running id gets the events of the first",
        patch=around(Scheduler, "submit", _shared),
        dialects=WITH_CANCEL,
    ),
    Mutant(
        "jobs_mixed",
        breaks="050",
        also=("008", "009", "012", "039", "046", "102"),
        what="a token is sent to another job that runs at the same time",
        patch=around(Scheduler, "_send", _mixed),
        dialects=ALL,
    ),
    Mutant(
        "queue_full_500",
        breaks="051",
        what="a full queue is 500",
        patch=around(errors, "queue_full", _full),
        dialects=ALL,
    ),
    Mutant(
        "stream_buffered",
        breaks="053",
        what="all events are sent at the end",
        patch=around(job_stream, "events", _whole),
        dialects=ALL,
    ),
)
