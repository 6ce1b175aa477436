"""Which statuses of a reply a case has room for, all its demands together."""

from collections.abc import Iterator
from typing import Any

from rollout_conformance.steps.engine.cases import Case
from rollout_conformance.steps.http.expectations import Status
from rollout_conformance.steps.profiles.chat.expectations.usage import UsageChunk
from rollout_conformance.steps.profiles.chat.responses import ChatResponse
from rollout_conformance.steps.profiles.chat.view import CaseView
from rollout_conformance.steps.profiles.router.expectations import DeltasKept, Failed, Limited, Returned, Some, Whole
from rollout_conformance.steps.profiles.router.headers import Joined
from rollout_conformance.steps.profiles.router.limits import BUSY, Shed
from rollout_conformance.steps.sse.expectations import StreamsIncrementally

OK = 200
ABOUT_A_BODY = (Whole, Returned, DeltasKept, Joined, UsageChunk, StreamsIncrementally)


def wanted(case: Case, view: CaseView, reply: ChatResponse) -> frozenset[int] | None:
    """None where the case leaves it open how this reply ends."""
    found: frozenset[int] | None = None
    for demand in _about(case, view, reply):
        statuses = _statuses(demand)
        if statuses is not None:
            found = statuses if found is None else found & statuses
    return found


def _about(case: Case, view: CaseView, reply: ChatResponse) -> Iterator[Any]:
    for step in case.expectations:
        of = getattr(step.what, "of", "")
        if reply in view.named(*((of,) if isinstance(of, str) else of)):
            yield step.what


def _statuses(demand: Any) -> frozenset[int] | None:
    if isinstance(demand, Status):
        return demand.numbers
    if isinstance(demand, Failed):
        return frozenset(demand.statuses)
    if isinstance(demand, Some):
        return frozenset({OK, *demand.statuses})
    if isinstance(demand, Limited):
        return frozenset({OK, 429})
    if isinstance(demand, Shed):
        return frozenset({OK, *BUSY})
    return frozenset({OK}) if isinstance(demand, ABOUT_A_BODY) else None
