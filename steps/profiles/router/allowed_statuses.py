"""Which statuses of a response a case allows, all its expectations together."""

from collections.abc import Iterator

from rollout_conformance.steps.engine.cases import Case
from rollout_conformance.steps.http.expectations import Status
from rollout_conformance.steps.profiles.chat.expectations.usage import UsageChunk
from rollout_conformance.steps.profiles.chat.responses import ChatResponse
from rollout_conformance.steps.profiles.chat.view import CaseView
from rollout_conformance.steps.profiles.router.forwarding import ChunkMembersForwarded, ResponseMembers
from rollout_conformance.steps.profiles.router.limits import LimitEnforced, SomeHaveStatus
from rollout_conformance.steps.profiles.router.streams import CoherentStream, ResponseText
from rollout_conformance.steps.profiles.router.unfinished import StatusOrBrokenOff
from rollout_conformance.steps.sse.expectations import StreamsIncrementally

OK = 200
ABOUT_A_BODY = (ResponseText, ResponseMembers, ChunkMembersForwarded, CoherentStream, UsageChunk, StreamsIncrementally)


def allowed(case: Case, view: CaseView, response: ChatResponse) -> frozenset[int] | None:
    """None where the case leaves it open which status this response has."""
    found: frozenset[int] | None = None
    for expectation in _about(case, view, response):
        statuses = _statuses(expectation)
        if statuses is not None:
            found = statuses if found is None else found & statuses
    return found


def _about(case: Case, view: CaseView, response: ChatResponse) -> Iterator[object]:
    for step in case.expectations:
        of = getattr(step.what, "of", ())
        if view.responses.means((of,) if isinstance(of, str) else of, response):
            yield step.what


def _statuses(expectation: object) -> frozenset[int] | None:
    if isinstance(expectation, StatusOrBrokenOff):
        return None
    if isinstance(expectation, Status):
        return expectation.numbers
    if isinstance(expectation, SomeHaveStatus | LimitEnforced):
        return frozenset({OK, *expectation.statuses})
    return frozenset({OK}) if isinstance(expectation, ABOUT_A_BODY) else None
