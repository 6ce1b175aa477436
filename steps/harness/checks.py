"""Assertions about jobs, over the checks of the profile `worker`."""

from collections.abc import Callable, Iterable, Iterator

from rollout_conformance.steps.engine.findings import Evidence, Finding
from rollout_conformance.steps.engine.trace import Trace
from rollout_conformance.steps.http.responses import KeptResponse, Responses
from rollout_conformance.steps.profiles.worker.card import WorkerCard
from rollout_conformance.steps.profiles.worker.context import WorkerContext
from rollout_conformance.steps.profiles.worker.events import ENDS
from rollout_conformance.steps.profiles.worker.invariants.counts import counters
from rollout_conformance.steps.profiles.worker.invariants.event_order import event_order
from rollout_conformance.steps.profiles.worker.invariants.orcd_members import orcd_members
from rollout_conformance.steps.profiles.worker.view import JobResponse, WorkerView

Invariant = Callable[[WorkerView], Iterator[Evidence]]


def assert_event_order(job: JobResponse) -> None:
    """The response is a stream whose events are in an order that the dialect has, their members included, and it has one terminal."""
    _assert_stream(job)
    _assert(job, event_order, orcd_members)


def assert_token_count(job: JobResponse, expected: int | None = None) -> None:
    """The counters of the stream are right, and there are `expected` tokens, if that is given."""
    _assert_stream(job)
    _assert(job, counters)
    if expected is not None:
        count = job.transcript.count
        _require(count == expected, f"expected {expected} tokens, and there are {count} in {shown(job)}")


def assert_successful_completion(job: JobResponse) -> None:
    """The job ended by itself, in order and with right counters: at a stop text, at the end of its text or at its limit."""
    assert_event_order(job)
    assert_token_count(job)
    expected = f"expected an end by itself ({', '.join(ENDS)})"
    _require(job.reason in ENDS, f"{expected}, and the reason is {job.reason} in {shown(job)}")


def extract_tokens(job: JobResponse) -> list[str]:
    """The texts of the tokens, "" where an event shows none of its own."""
    return [one.text for one in job.transcript.tokens]


def _assert_stream(job: JobResponse) -> None:
    _require(job.is_success, f"expected a stream, and the response is {job.shown()}")
    _require(job.is_stream, f"expected text/event-stream, and it is {job.header('content-type')}")
    _require(job.fault is None, f"the stream broke off: {job.fault}, after {shown(job)}")


def _assert(job: JobResponse, *invariants: Invariant) -> None:
    view = _view(job)
    found = [one for invariant in invariants for one in invariant(view) if isinstance(one, Finding)]
    _require(not found, f"{_sentences(found)}\nin {shown(job)}")


def _require(ok: bool, message: str) -> None:
    """No `assert`: to that of another module pytest adds what it compared, here a whole response."""
    if not ok:
        raise AssertionError(message)


def _view(job: JobResponse) -> WorkerView:
    context = WorkerContext(WorkerCard(), dialect=job.dialect)
    kept = Responses[KeptResponse]()
    kept.keep(job)
    return WorkerView(Trace(), kept, context, worker=context)


def _sentences(found: Iterable[Finding]) -> str:
    return "\n".join(f"{one.requirement}: expected {one.expected}; observed {one.observed}" for one in found)


def shown(job: JobResponse) -> str:
    """The events of a job in a line."""
    names = [event.name.removesuffix("Sent") for event in job.transcript.events]
    return f"job {job.spec.id}: {' '.join(names) or 'no events'}"
