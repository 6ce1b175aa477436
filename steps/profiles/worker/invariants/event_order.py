"""The order of events: every stream is a walk over the table of its dialect, and the first illegal event is the finding."""

from collections.abc import Iterator

from rollout_conformance.contracts.worker.lifecycle import BREACHES, OTHERWISE, QUEUED, TABLES
from rollout_conformance.steps.engine.findings import Evidence, Finding, Satisfied
from rollout_conformance.steps.profiles.worker.view import JobResponse, WorkerView

CLOSED = "StreamClosed"
KEPT = ("WORKER-002", "WORKER-005", "WORKER-006", "WORKER-007", "WORKER-056", "WORKER-112")


def event_order(view: WorkerView) -> Iterator[Evidence]:
    """Each stream begins, goes on and ends in an order that its dialect has."""
    for response in view.jobs:
        if response.is_success and response.is_stream:
            yield from _walked(response)


def _walked(response: JobResponse) -> Iterator[Evidence]:
    table, state = TABLES[response.dialect.name]["worker"], QUEUED
    names = [(event.at, event.name) for event in response.transcript.events]
    if not response.left and response.fault is None:
        names.append((len(response.chunks), CLOSED))
    for at, name in names:
        following = table[state].get(name)
        if following is None:
            requirement = BREACHES.get((state, name), OTHERWISE)
            expected = f"in {state}: {' or '.join(sorted(table[state])) or 'nothing'}"
            observed = f"{name}, {'the end of the response' if name == CLOSED else f'event {at}'}"
            yield Finding(requirement, expected, observed, (response.n,), state)
            return
        state = following
    if names and names[-1][1] == CLOSED:
        yield from _kept(response)


def _kept(response: JobResponse) -> Iterator[Evidence]:
    failed = response.transcript.failure is not None and not response.transcript.failure.is_cancel
    for requirement in KEPT:
        if failed or requirement not in ("WORKER-056", "WORKER-112"):
            yield Satisfied(requirement)
