"""Defects that jobs of every dialect may have: at their limit, of memory, after others, at the end of the worker, of keys and internals."""

import itertools
import os
from collections.abc import Iterator
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import Message, Receive, Scope, Send

from rollout_conformance.rollout_server.mutants.framework import FUZZING, after, around, every, put
from rollout_conformance.rollout_server.mutants.worker.patches import (
    ALL,
    ORCD,
    VLLM,
    WITH_CANCEL,
    changed,
    execute_model,
    mutant,
    writing,
)
from rollout_conformance.rollout_server.mutants.worker.validation import LooseJobId, SmallMinP
from rollout_conformance.rollout_server.worker import app, errors, health, native, orcd_requests
from rollout_conformance.rollout_server.worker.correlation import CorrelationIds
from rollout_conformance.rollout_server.worker.errors import JobError
from rollout_conformance.rollout_server.worker.generation import Generation
from rollout_conformance.rollout_server.worker.jobs import Event, Failed, Job, Scored, Token
from rollout_conformance.rollout_server.worker.scheduler import DuplicateJobError, Scheduler, Ticket
from rollout_conformance.rollout_server.worker.worker import Worker

TURN, JOBS = itertools.count(), itertools.count(1)
TRACE = 'Traceback (most recent call last): File "/srv/worker/app.py", line 12, in post'
ONE_IN = 5


def _by_turn(original: Any, self: Generation, id: int) -> Any:
    """At the limit, a stop text that ends there counts in every second job."""
    reason = original(self, id)
    if reason == "stop_sequence" and self.tokens_out >= self.job.max_tokens and next(TURN) % 2:
        self._text.matched = None
        return "max_tokens"
    return reason


def _keeping_id(original: Any, self: Scheduler, ticket: Ticket) -> None:
    if not ticket.done:
        vars(self).setdefault("left", set()).add(ticket.job.id)
    original(self, ticket)


def _with_kept_ids(original: Any, self: Scheduler, job: Job) -> Any:
    if job.id in vars(self).get("left", ()):
        raise DuplicateJobError
    return original(self, job)


def _all_out_of_memory(original: Any, self: Scheduler) -> None:
    if self.tokens_held() > self.limits.cache_tokens:
        self.fail_all("VRAM_OOM")
    original(self)


def _abandoned(original: Any, self: Scheduler, ticket: Ticket) -> None:
    if not ticket.done:
        self.broken = True  # type: ignore[attr-defined]
    original(self, ticket)


def _broken(original: Any, self: Scheduler, job: Job) -> Ticket:
    """The job after one whose client has left fails."""
    ticket: Ticket = original(self, job)
    if getattr(self, "broken", False):
        self.broken = False  # type: ignore[attr-defined]
        self._fail(ticket, "INFERENCE_FAILED")
    return ticket


def _refused(original: Any, self: Scheduler, job: Job) -> Ticket:
    if next(JOBS) % ONE_IN == 0:
        raise JobError(400, "INVALID_REQUEST", "This job is not possible now")
    return original(self, job)  # type: ignore[no-any-return]


def _at_once(self: Worker) -> None:
    os._exit(0)


def _one_more_token(original: Any, self: Any, happened: Event) -> Iterator[bytes]:
    if isinstance(happened, Failed) and happened.code == "CANCELLED" and happened.tokens_out:
        yield from original(self, Token(happened.tokens_out, Scored(5, -1.0, 1), "#"))
    yield from original(self, happened)


class KeyShown(CorrelationIds):
    """The key of a request is returned in a header."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        key = Headers(scope=scope).get("authorization") if scope["type"] == "http" else None

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start" and key:
                MutableHeaders(scope=message)["X-Auth"] = key
            await send(message)

        await super().__call__(scope, receive, sending)


def _traced(error: JobError) -> JobError:
    return JobError(error.status, error.code, TRACE, error.problems)


def _type_500(original: Any, field: str, kind: str, *, in_list: bool) -> str:
    found = str(original(field, kind, in_list=in_list))
    if found == "type":
        raise RuntimeError
    return found


def _unbounded(original: Any, request: Any, prompt: int, scheduler: Scheduler) -> Any:
    if request.top_k > scheduler.model.vocab_size:
        raise RuntimeError
    return original(request, prompt, scheduler)


MUTANTS = (
    mutant(
        "abandoned_id_kept",
        "047",
        "the id of a job whose client has left stays taken",
        every(around(Scheduler, "abandon", _keeping_id), around(Scheduler, "submit", _with_kept_ids)),
        WITH_CANCEL,
    ),
    mutant(
        "limit_by_turn",
        "017",
        "at the limit a stop text counts in every second job",
        around(Generation, "_reason", _by_turn),
        ALL,
        "013",
    ),
    mutant(
        "top_k_500",
        "029",
        "a top_k beyond the vocabulary is an internal error",
        around(orcd_requests, "beyond_model", _unbounded),
        ORCD,
        "303",
    ),
    mutant(
        "memory_fails_all",
        "054",
        "memory that runs out ends all jobs",
        around(Scheduler, "_fail_unable", _all_out_of_memory),
        ALL,
    ),
    mutant(
        "abandoned_next",
        "047",
        "the job after one whose client has left fails",
        every(around(Scheduler, "abandon", _abandoned), around(Scheduler, "submit", _broken)),
        ALL,
        "200",
        "049",
    ),
    mutant("stop_cuts", "058", "a worker that is stopped ends at once", put(Worker, "close", _at_once), ALL, "005"),
    mutant(
        "token_after_cancel",
        "107",
        "a cancelled job has a token that it did not generate",
        writing(_one_more_token),
        (*ORCD, *VLLM),
    ),
    mutant("job_refused", "200", "every fifth job is rejected", around(Scheduler, "submit", _refused), ALL, "*"),
    mutant(
        "key_shown", "202", "the key of a request is returned in a header", put(app, "CorrelationIds", KeyShown), ALL
    ),
    mutant(
        "trace_shown",
        "203",
        "a rejection shows a trace",
        every(after(errors, "invalid", _traced), after(native, "refused", _traced)),
        ALL,
    ),
    mutant(
        "type_500", "303", "a wrong type is an internal error", around(errors, "constraint", _type_500), ORCD, "033"
    ),
    mutant(
        "health_model_number",
        "300",
        "the model is a number in the health",
        after(health, "model", changed("model", lambda model: 7)),
        ORCD,
        by=FUZZING,
    ),
    mutant("min_p_rejected", "301", "a min_p above 0.5 is rejected", execute_model(SmallMinP), ORCD, by=FUZZING),
    mutant("job_id_number", "302", "a number is accepted for job_id", execute_model(LooseJobId), ORCD, by=FUZZING),
)
