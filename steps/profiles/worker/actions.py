"""What the client does beside executing jobs: it waits for tokens, cancels by id, disconnects, and asks for the health. None of it judges."""

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import zip_longest
from time import monotonic

from rollout_conformance.steps.engine.session import WaitTimeout
from rollout_conformance.steps.engine.trace import Request
from rollout_conformance.steps.engine.verbs import phrase, verb
from rollout_conformance.steps.http.references import ResponseName
from rollout_conformance.steps.http.requests import (
    HEALTH,
    RequestAction,
    filled_in,
    in_flight,
    path_of,
    request_headers,
)
from rollout_conformance.steps.http.responses import base_of, kept, meant
from rollout_conformance.steps.http.waiting import wait_until
from rollout_conformance.steps.profiles.worker.context import Running, WorkerSession, cancelled_ids, cancels, jobs
from rollout_conformance.steps.profiles.worker.job_reading import has_tokens

BEGIN_S = 0.3  # a worker may send nothing until the job has a slot
QUEUED_S = 1.5  # a job that has no token so long, while another one has, waits for a slot


def _named(session: WorkerSession, word: str) -> dict[str, Running]:
    """The jobs that a word means, by name, whether they have ended or not."""
    known = jobs(session)
    bases = meant(word, list(dict.fromkeys(map(base_of, known))))
    return {name: job for name, job in known.items() if name == word or base_of(name) in bases}


@verb("wait_for_tokens", example=("{of: a, count: 3}",))
@phrase("{count:int} token(s) of {of:response} have arrived")
@phrase("{count:int} token of {of:response} has arrived", example={"count": "1"})
@dataclass(frozen=True, slots=True)
class WaitForTokens:
    """Wait until a job in the background has sent so many events with tokens, or its response has ended, or it waits for the slot of
    another job."""

    count: int = 1
    "How many events; 0 waits until its response has begun, or has not for a short while."
    of: ResponseName = "it"
    "The job, by the name of its response."

    async def perform(self, session: WorkerSession) -> None:
        began = monotonic()

        def seen() -> bool:
            found = _named(session, self.of)
            return bool(found) and all(job.done or self._has_sent(session, job, began) for job in found.values())

        if self.count == 0:
            await wait_until(session, seen, BEGIN_S)
        elif not await wait_while_events_come(session, seen):
            raise WaitTimeout(f"{self.count} token events of the job {self.of}")

    def _has_sent(self, session: WorkerSession, job: Running, began: float) -> bool:
        if job.reading is not None and has_tokens(job.reading, session.context.dialect, self.count):
            return True
        return monotonic() > began + QUEUED_S and is_queued(session, job)


def shown_id(session: WorkerSession, job: Running) -> str:
    """The id by which the worker knows a job: that of its events where they show one, else that of the request."""
    member = session.context.dialect.id_at
    events = (chunk.data for chunk in job.reading.chunks) if member and job.reading is not None else ()
    shown = (data.get(member) for data in events if isinstance(data, Mapping))
    return next((one for one in shown if isinstance(one, str) and one), job.spec.id)


def is_queued(session: WorkerSession, job: Running) -> bool:
    """Whether a job has no tokens while another one of the case generates: a worker may have one slot."""
    if job.reading is not None and has_tokens(job.reading, session.context.dialect, 1):
        return False
    others = (one for one in jobs(session).values() if one is not job and not one.done and one.reading is not None)
    return any(has_tokens(one.reading, session.context.dialect, 1) for one in others if one.reading is not None)


async def wait_while_events_come(session: WorkerSession, happened: Callable[[], bool]) -> bool:
    """Wait until something has happened. False when no job of the case has sent an event for as long as the patience of the session."""
    while not happened():
        before = _events(session)
        if not await wait_until(session, lambda before=before: happened() or _events(session) > before):  # type: ignore[misc]
            return False
    return True


def _events(session: WorkerSession) -> int:
    return sum(len(job.reading.chunks) for job in jobs(session).values() if job.reading is not None)


@verb("wait_for_jobs")
@phrase("all jobs have ended")
@dataclass(frozen=True, slots=True)
class WaitForJobs:
    """Wait until the response to each job in the background has ended."""

    async def perform(self, session: WorkerSession) -> None:
        waiting = in_flight(session)
        await asyncio.gather(*waiting, return_exceptions=True)
        waiting.clear()


@verb("cancel", short="of", example=("a", "{id: rc-never-executed}", "{of: a, times: 2}"))
@phrase("the client cancels {of:response}")
@phrase("the client cancels {of:response} {times:int} times", concurrent=False)
@phrase("the client cancels a job with the id {id}")
@dataclass(frozen=True, slots=True)
class Cancel(RequestAction):
    """Cancel a job by its id, as the dialect does it."""

    of: ResponseName = ""
    "The job, by the name of its response."
    id: str = ""
    "An id instead of a job; `{session}` is the name of the case's own session."
    body: Mapping[str, object] | None = None
    "The whole body, instead of one with an id."
    name: str = field(default="cancel", kw_only=True)
    "A name for the response."

    def __post_init__(self) -> None:
        """Raises `ValueError` where it means nothing, or more than one thing."""
        if sum((bool(self.of), bool(self.id), self.body is not None)) != 1:
            raise ValueError("of, id and body: write one of them")

    async def send_one(self, session: WorkerSession, name: str, nth: int) -> None:
        cancel = session.context.dialect.cancel
        if cancel is None:
            session.state["unplayable"] = f"jobs of the dialect {session.context.dialect.name} have no ids"
            return
        found = _named(session, self.of) if self.of else {}
        ids = [shown_id(session, one) for one in found.values()] or [filled_in(session, self.id)]
        for job, id in zip_longest(found, ids):
            path, body = cancel(id)
            sent = json.dumps(body if self.body is None else dict(self.body)).encode()
            cancelled_ids(session).add(id)
            request = Request("POST", path, request_headers(session, "right", {}), sent)
            kept(session, name, await session.send(request, rollout="-"))
            if job is not None:  # a busy worker may not have read it before
                cancels(session).setdefault(job, session.trace.now())


@verb("disconnect", short="of", example="a")
@phrase("the client disconnects from {of:response}")
@dataclass(frozen=True, slots=True)
class Disconnect:
    """Close the connection of a job in the background, wherever it is."""

    of: ResponseName = "it"
    "The job, by the name of its response."

    async def perform(self, session: WorkerSession) -> None:
        for job in _named(session, self.of).values():
            job.left = True
            if job.task is not None and not job.task.done():
                job.task.cancel()
                await asyncio.wait([job.task])


@verb("health", short="name", example="before")
@phrase("the client asks for the health of the worker")
@dataclass(frozen=True, slots=True)
class Health(RequestAction):
    """GET the path of the health check."""

    async def send_one(self, session: WorkerSession, name: str, nth: int) -> None:
        request = Request("GET", path_of(session, HEALTH), request_headers(session, "right", {}))
        kept(session, name, await session.send(request, rollout="-"))


@verb("stop_worker")
@phrase("the worker is stopped")
@dataclass(frozen=True, slots=True)
class StopWorker:
    """Send the worker SIGTERM, and wait until it has stopped and each response in flight has ended."""

    async def perform(self, session: WorkerSession) -> None:
        session.state["stopped"] = session.trace.now()
        await asyncio.gather(session.state["target"].stop(), WaitForJobs().perform(session))
        session.state["killed"] = session.state["target"].killed
