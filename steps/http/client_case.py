"""What a profile needs whose suite is a plain HTTP client: the context of its cases, the view that its verbs and invariants read, and why a
case ended early. A profile may use them as they are."""

from dataclasses import dataclass
from typing import Generic

from typing_extensions import TypeVar

from rollout_conformance.steps.engine.cases import Case
from rollout_conformance.steps.engine.findings import Cause, Finding
from rollout_conformance.steps.engine.session import Session, State
from rollout_conformance.steps.engine.target_card import Card
from rollout_conformance.steps.engine.trace import NO_ANSWER, SILENT, STILL_SENDING, Trace
from rollout_conformance.steps.http.checks import ResponseExpectation
from rollout_conformance.steps.http.expectations import Status
from rollout_conformance.steps.http.responses import KeptResponse, Responses, responses_of

BUSY = (429, 503)
R = TypeVar("R", bound=KeptResponse, default=KeptResponse)
C = TypeVar("C", default=object, covariant=True)
EXPECTED = "a status that the case gives reason for: 2xx"


@dataclass(frozen=True, slots=True)
class HttpContext:
    """What the cases of a run share: the card of the target, and the key that it requires, if any."""

    card: Card
    target_key: str | None = None

    @property
    def health(self) -> str:
        """The path of the health check, `{health}` in a path."""
        return str(getattr(self.card, "health", None) or "/health")


@dataclass(frozen=True, slots=True)
class HttpView(Generic[R, C]):
    """One case as checks read it; `R` is the kind of its responses, `C` the context of its cases."""

    trace: Trace
    responses: Responses[R]
    context: C

    @property
    def judged(self) -> list[R]:
        """The responses that the case is about, in the order of their requests: all but the readings of metrics."""
        return [one for one in self.responses if not one.is_reading]

    def named(self, *words: str) -> list[R]:
        """The responses that these words mean: names, `it`, `first`, `second`, ..., `both`, `all`."""
        return self.responses.named(*words)


def read(session: Session[State], case: Case) -> HttpView:
    """`read` of a profile."""
    return HttpView(session.trace, responses_of(session), session.context)


def cause(case: Case, view: HttpView) -> Cause | None:
    """`cause` of a profile: the first response that the case gives no reason for. Nothing that rests on it is judged.

    429 and 503 prove nothing about a target that reports its load. A rejection, an error and a lost connection are one finding of what the
    case is about, unless one of its expectations judges them.
    """
    if not case.requirements:
        return None
    return next((found for one in view.judged if (found := _cause(case, view, one)) is not None), None)


def _cause(case: Case, view: HttpView, response: KeptResponse) -> Cause | None:
    status = response.status
    if status is None or response.fault:
        return _found(case, "a response", response.fault or "no response", response)
    if 200 <= status < 300 or _is_judged(case, view, response):
        return None
    if status in BUSY:
        return Cause(f"the target returned {status} by itself", since=response.n)
    if status == 401 and getattr(view.context, "target_key", None) is None:
        return Cause("the target requires a key (401): give it with --target-key", since=response.n)
    return _found(case, EXPECTED, response.shown(), response)


def _is_judged(case: Case, view: HttpView, response: KeptResponse) -> bool:
    """Whether an expectation of the case is about the status of this response, or about a rejection of it."""
    server_error = response.status is not None and response.status >= 500
    for step in case.expectations:
        what = step.what
        if not isinstance(what, ResponseExpectation) or response not in view.named(*what.of):
            continue
        if isinstance(what, Status) or (what.must_be_rejected if server_error else what.may_be_rejected):
            return True
    return False


def _found(case: Case, expected: str, observed: str, response: KeptResponse) -> Cause:
    silent = response.fault is not None and response.fault.startswith((NO_ANSWER, SILENT, STILL_SENDING))
    return Cause(observed, Finding(case.requirements[0], expected, observed, (response.n,), timing=silent), response.n)
