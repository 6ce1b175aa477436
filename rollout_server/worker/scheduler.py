"""Which jobs generate and which wait. It decides and never awaits: `worker.py` calls `tick` while there is work."""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from time import monotonic

from rollout_conformance.rollout_server.worker.generation import Generation
from rollout_conformance.rollout_server.worker.jobs import Ended, Event, Failed, FailureCode, Job
from rollout_conformance.rollout_server.worker.metrics import Metrics
from rollout_conformance.rollout_server.worker.model import Model
from rollout_conformance.rollout_server.worker.vocabulary import Vocabulary

MESSAGES: dict[FailureCode, str] = {
    "CANCELLED": "The job was cancelled",
    "INFERENCE_TIMEOUT": "The job took longer than a job may take",
    "VRAM_OOM": "No memory is left for the tokens of this job",
    "INFERENCE_FAILED": "The model failed",
    "WORKER_UNHEALTHY": "The worker is shutting down",
    "INTERNAL": "Internal error",
}
RETRIABLE: frozenset[FailureCode] = frozenset({"INFERENCE_TIMEOUT", "VRAM_OOM", "WORKER_UNHEALTHY"})


class DuplicateJobError(Exception):
    """A job with this id waits or runs."""


class QueueFullError(Exception):
    """No slot is free and no more jobs may wait."""


class ClosingError(Exception):
    """The worker takes no more jobs."""


@dataclass(slots=True, eq=False)
class Ticket:
    """An accepted job. `events` ends with an `Ended` or a `Failed`, unless the client has left."""

    job: Job
    generation: Generation
    events: "asyncio.Queue[Event]" = field(default_factory=asyncio.Queue)
    accepted: float = field(default_factory=monotonic)
    done: bool = False


@dataclass(frozen=True, slots=True)
class Limits:
    slots: int
    queue: int
    cache_tokens: int
    job_timeout_s: float
    fail_after: int = 0  # tokens after which a job fails; 0: never


class Scheduler:
    """Jobs get a slot in the order of their acceptance, and all jobs in slots are computed as one batch. `on_error` is told of what the
    model or the generation of a job raises; the jobs that it concerns fail, and the others go on."""

    def __init__(
        self,
        model: Model,
        vocabulary: Vocabulary,
        limits: Limits,
        metrics: Metrics,
        on_error: Callable[[Exception], None],
    ) -> None:
        self.model, self.vocabulary, self.limits, self.metrics = model, vocabulary, limits, metrics
        self.on_error = on_error
        self.running: list[Ticket] = []
        self.waiting: deque[Ticket] = deque()
        self.by_id: dict[str, Ticket] = {}
        self.closing = False
        self.awake = asyncio.Event()

    def submit(self, job: Job) -> Ticket:
        """Raises `ClosingError`, `DuplicateJobError` or `QueueFullError`."""
        if self.closing:
            raise ClosingError
        if job.id in self.by_id:
            raise DuplicateJobError
        if self._is_full():
            raise QueueFullError
        ticket = Ticket(job, Generation(job, self.model, self.vocabulary))
        self.by_id[job.id] = ticket
        self.waiting.append(ticket)
        self._fill_slots()
        self.metrics.accepted(len(job.prompt))
        self.awake.set()
        return ticket

    def cancel(self, id: str) -> bool:
        """Whether there was such a job. Its stream ends before its next token."""
        ticket = self.by_id.get(id)
        if ticket is not None:
            self._fail(ticket, "CANCELLED")
        return ticket is not None

    def abandon(self, ticket: Ticket) -> None:
        """The client has left: nothing more is generated."""
        if not ticket.done:
            self._finish(ticket, "abandoned")

    def close(self) -> None:
        self.closing = True

    def fail_all(self, code: FailureCode) -> None:
        for ticket in [*self.by_id.values()]:
            self._fail(ticket, code)

    def tick(self) -> None:
        """One token for each job in a slot, and a part of one prompt."""
        self._fail_unable()
        chosen = self._chosen()
        try:
            results = self.model.read([ticket.generation.next_read() for ticket in chosen]) if chosen else []
        except Exception as error:  # whatever the model raises: which of the jobs is to blame cannot be known
            self.on_error(error)
            for ticket in chosen:
                self._fail(ticket, "INFERENCE_FAILED")
            return
        for ticket, logits in zip(chosen, results, strict=True):
            try:
                self._send(ticket, ticket.generation.take(logits))
            except Exception as error:
                self.on_error(error)
                self._fail(ticket, "INFERENCE_FAILED")
        if not self.by_id:
            self.awake.clear()

    def _chosen(self) -> list[Ticket]:
        """All that have read their prompt, and the first that has not: the others wait no longer than for one part of it."""
        prefilling = [ticket for ticket in self.running if ticket.generation.is_prefilling]
        return [ticket for ticket in self.running if not ticket.generation.is_prefilling or ticket is prefilling[0]]

    def _fail_unable(self) -> None:
        oldest = monotonic() - self.limits.job_timeout_s
        for ticket in [ticket for ticket in self.by_id.values() if ticket.accepted < oldest]:
            self._fail(ticket, "INFERENCE_TIMEOUT")
        while self.running and self.tokens_held() > self.limits.cache_tokens:
            self._fail(max(self.running, key=lambda ticket: ticket.generation.tokens_held), "VRAM_OOM")
        for ticket in [*self.running]:
            if self.limits.fail_after and ticket.generation.tokens_out >= self.limits.fail_after:
                self._fail(ticket, "INFERENCE_FAILED")

    def _send(self, ticket: Ticket, events: list[Event]) -> None:
        for event in events:
            ticket.events.put_nowait(event)
            self.metrics.generated(event)
            if isinstance(event, Ended):
                self._finish(ticket, event.reason)

    def tokens_held(self) -> int:
        return sum(ticket.generation.tokens_held for ticket in self.running)

    def _fail(self, ticket: Ticket, code: FailureCode) -> None:
        if ticket.done:
            return
        tokens = ticket.generation.tokens_out
        ticket.events.put_nowait(Failed(code, MESSAGES[code], tokens, code in RETRIABLE))
        self._finish(ticket, code.lower())

    def _finish(self, ticket: Ticket, outcome: str) -> None:
        ticket.done = True
        del self.by_id[ticket.job.id]
        if ticket in self.running:
            self.running.remove(ticket)
        else:
            self.waiting.remove(ticket)
        self.metrics.finished(outcome)
        self._fill_slots()

    def _is_full(self) -> bool:
        return len(self.running) >= self.limits.slots and len(self.waiting) >= self.limits.queue

    def _fill_slots(self) -> None:
        while self.waiting and len(self.running) < self.limits.slots:
            self.running.append(self.waiting.popleft())
