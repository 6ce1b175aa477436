"""Why a case ended early: the first job that did not end as the case gives reason for. Nothing that rests on it is judged."""

from dataclasses import replace

from rollout_conformance.steps.engine.cases import Case
from rollout_conformance.steps.engine.findings import Cause, Finding
from rollout_conformance.steps.engine.json_diff import show
from rollout_conformance.steps.engine.trace import SILENT, STILL_SENDING
from rollout_conformance.steps.http import client_case
from rollout_conformance.steps.profiles.worker.dialects.base import FRAMED, READABLE
from rollout_conformance.steps.profiles.worker.events import CANCELLED, ENDS, ERROR, Failure
from rollout_conformance.steps.profiles.worker.expectations.base import JobsTogether
from rollout_conformance.steps.profiles.worker.view import BEFORE, LATE, JobResponse, WorkerView

COMPLETE = "a stream with a terminal"
CLOSED = "the end of the response after its terminal"
CARRIED_OUT = "the job is carried out"
SEVERAL = 5  # jobs that ended before, so that their slots may be taken still
INTERNALS = "WORKER-203"
SLOTS, ONE_TERMINAL = "WORKER-121", "WORKER-005"
GRACE_S = 3.0  # in which a worker that is stopped ends its jobs; the specification of the seed has 5 s for all of it
OUT_OF_MEMORY = ("VRAM_OOM", "INSUFFICIENT_VRAM")


def cause(case: Case, view: WorkerView) -> Cause | None:
    if not case.requirements:
        return None
    found = next((found for one in view.jobs if (found := _of_job(case, view, one)) is not None), None)
    found = found or _of_token_ids(view)
    if found is None:
        found = client_case.cause(case, replace(view, unowed=_may_be_refused(case, view) | _compared(case, view)))
        if found is not None:
            found = _of_no_response(found)
    if found is None and view.waited:
        finding = Finding(_of_no_tokens(case, view), view.waited, "nothing in time", timing=True)
        return Cause(f"a job without tokens: {view.waited}", finding, certain=True)
    if found is None and view.unplayable:
        return Cause(view.unplayable)
    return found


def _of_no_response(found: Cause) -> Cause:
    """Of a request that has no response: one that was sent for the internals in its rejection shows none, and is not rejected."""
    if found.finding is None:
        return replace(found, again=True)
    if found.finding.requirement == INTERNALS:
        return replace(found, finding=replace(found.finding, requirement=BEFORE))
    return found


def _of_token_ids(view: WorkerView) -> Cause | None:
    """A rejection of token ids where a text would do: they may be those of another vocabulary."""
    rejected = next((one for one in view.jobs if one.is_client_error and _is_of_ids(one)), None)
    if rejected is None:
        return None
    return Cause(
        f"token ids were rejected ({rejected.status}): name the tokenizer of the worker with --tokenizer",
        since=rejected.n,
    )


def _is_of_ids(job: JobResponse) -> bool:
    """Whether a rejection may be one of token ids; where a prompt is never a text, its words show that."""
    return job.spec.by_ids or (job.dialect.only_ids and "vocab" in job.text.lower())


def _of_job(case: Case, view: WorkerView, job: JobResponse) -> Cause | None:
    if not job.is_success:
        return None
    if found := _unreadable(job):
        return found
    if job.left:
        return None
    if job.fault:
        if _ran_for_long_after_stop(view, job):
            return Cause("the worker was stopped, and ended before a job that needed longer", since=job.n)
        if _judges_ends(case, view, job) and (view.stopped is not None or job.n in _may_be_refused(case, view)):
            return None
        if job.fault.startswith(STILL_SENDING):
            return Cause(f"a job took too long to be judged: {job.fault}; raise `patience_s` on the card", since=job.n)
        return _not_ended(case, view, job, job.fault)
    if job.reason not in (ERROR, CANCELLED) or _judges_ends(case, view, job) or _was_cancelled(view, job):
        return None
    return _failed(case, view, job)


def _not_ended(case: Case, view: WorkerView, job: JobResponse, fault: str) -> Cause:
    """A stream that broke off, or stays open, before its terminal or after it."""
    silent = fault.startswith(SILENT)
    if silent and job.transcript.terminals:
        observed = f"the job ended ({job.reason}), and the response has {fault}"
        return Cause(
            f"a stream that stays open after its terminal: {fault}",
            Finding(ONE_TERMINAL, CLOSED, observed, (job.n,), timing=True),
            job.n,
            certain=True,
        )
    broken = _of_silence(case, view, job) if silent else ONE_TERMINAL
    return Cause(
        f"the stream of a job: {fault}", Finding(broken, COMPLETE, fault, (job.n,), timing=silent), job.n, certain=True
    )


def _ran_for_long_after_stop(view: WorkerView, job: JobResponse) -> bool:
    """Whether a job was cut so late after the stop of its worker that no worker need wait for it."""
    ended = view.trace.exchanges[job.n].ended
    return view.stopped is not None and ended is not None and ended - view.stopped > GRACE_S


def _of_silence(case: Case, view: WorkerView, job: JobResponse) -> str:
    """What a job without an end breaks: it was cancelled, has the id of another one, or waits for a slot, perhaps that of a
    client that has left, of a job that was cancelled, or of one that ended."""
    if job.name in view.cancelled:
        return "WORKER-045"
    if any(one.spec.id == job.spec.id for one in view.jobs if one.name != job.name):
        return "WORKER-052"
    if job.transcript.tokens:
        return ONE_TERMINAL
    return _of_no_tokens(case, view)


def _of_no_tokens(case: Case, view: WorkerView) -> str:
    """What a job without tokens breaks: it waits for the slot of a client that has left, or of a job that was cancelled, or of several that
    ended (one, where the case is about a single slot), or is not carried out."""
    if any(one.left for one in view.jobs):
        return "WORKER-049"
    if view.cancelled:
        return "WORKER-047"
    ended = sum(one.is_client_error or one.reason in (*ENDS, ERROR) for one in view.jobs)
    return SLOTS if ended >= (1 if SLOTS in case.requirements else SEVERAL) else "WORKER-200"


def _unreadable(job: JobResponse) -> Cause | None:
    """An event that cannot be read, or a framing that is another: all that is computed from the tokens rests on it."""
    found = next((one for one in job.transcript.breaches if one.requirement in (READABLE, FRAMED)), None)
    if found is None:
        return None
    finding = Finding(found.requirement, found.expected, found.observed, (job.n,))
    return Cause(f"a stream that cannot be read: {found.observed}", finding, job.n, certain=True)


def _failed(case: Case, view: WorkerView, job: JobResponse) -> Cause | None:
    """A job that fails, or is cancelled without a request for it."""
    failure = job.transcript.failure
    if job.reason == CANCELLED:
        requirement = _of_cancellations(view, job) or case.requirements[0]
        finding = Finding(requirement, CARRIED_OUT, "it was cancelled, and nobody cancelled it", (job.n,))
        return Cause("a job was cancelled by itself", finding, job.n)
    if failure is not None and _is_busy(failure):
        return Cause(f"the worker failed a job by itself: {show(failure.code)}", since=job.n, again=True)
    code, message = (failure.code, failure.message) if failure else ("", "")
    observed = f"error {show(code)}: {show(message)}"
    requirement, expected = (BEFORE, LATE) if _is_rejection(case, view, job) else (case.requirements[0], CARRIED_OUT)
    return Cause(f"a job failed: {show(code)}", Finding(requirement, expected, observed, (job.n,)), job.n)


def _is_rejection(case: Case, view: WorkerView, job: JobResponse) -> bool:
    """Whether an error event stands for a rejection that the case expects."""
    return job.is_rejected_late and any(
        getattr(step.what, "may_be_rejected", False) and job in view.named(*step.what.of)  # type: ignore[union-attr]
        for step in case.expectations
    )


def _was_cancelled(view: WorkerView, job: JobResponse) -> bool:
    """Whether the client cancelled it, or another one with its id."""
    return job.name in view.cancelled or (job.reason == CANCELLED and job.spec.id in view.cancelled_ids)


def _of_cancellations(view: WorkerView, job: JobResponse) -> str:
    """What a cancellation broke that ended a job that the case did not cancel: one that ran at that time, or a later one."""
    if not view.cancelled:
        return ""
    return "WORKER-047" if job.began > max(view.cancelled.values()) else "WORKER-046"


def _is_busy(failure: Failure) -> bool:
    return failure.retriable is True or failure.code in OUT_OF_MEMORY


def _may_be_refused(case: Case, view: WorkerView) -> frozenset[int]:
    """The exchanges whose connection may be refused."""
    expectations = [step.what for step in case.expectations if getattr(step.what, "may_be_refused", False)]
    return frozenset(one.n for what in expectations for one in view.named(*what.of))  # type: ignore[union-attr]


def _compared(case: Case, view: WorkerView) -> frozenset[int]:
    """The exchanges whose rejection an expectation on several jobs judges."""
    found: set[int] = set()
    for step in case.expectations:
        what = step.what
        if isinstance(what, JobsTogether) and getattr(what, "may_be_rejected", False):
            errors = getattr(what, "must_be_rejected", False)
            found |= {one.n for one in view.jobs_named(*what.of) if one.is_client_error or (errors and one.status)}
    return frozenset(found)


def _judges_ends(case: Case, view: WorkerView, job: JobResponse) -> bool:
    """Whether an expectation of the case is about how this job ends."""
    return any(
        getattr(step.what, "judges_ends", False) and job in view.named(*step.what.of)  # type: ignore[union-attr]
        for step in case.expectations
    )
