"""What may be demanded of responses to status requests (dialect routed), to cancel requests (routed and leased), and to health checks."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Literal

from rollout_conformance.steps.engine.comparison import Comparison
from rollout_conformance.steps.engine.findings import Evidence
from rollout_conformance.steps.engine.json_diff import show
from rollout_conformance.steps.engine.trace import NotJson
from rollout_conformance.steps.engine.verbs import phrase, verb
from rollout_conformance.steps.http.checks import Check, ResponseExpectation
from rollout_conformance.steps.http.responses import KeptResponse
from rollout_conformance.steps.profiles.rollout.expectations.base import CaseExpectation
from rollout_conformance.steps.profiles.rollout.view import CaseView, Rollout


@verb("rollout_status", short="statuses", example=("success", "[queued, running]"))
@phrase("the status of the rollout is {statuses}")
@dataclass(frozen=True, slots=True)
class RolloutStatus(ResponseExpectation):
    """The response to a status request reports one of these statuses."""

    statuses: tuple[Literal["queued", "running", "grading", "success", "failure", "cancelled", "unknown"], ...]
    "Where `unknown` is right, a 404 is too."

    def judge(self, view: CaseView, requirement: str) -> Iterator[Evidence]:
        if any(map(_has_no_id, view.rollouts.values())):
            return  # a rollout whose id nobody knows cannot be asked about: that is ROLLOUT-209 alone
        yield from ResponseExpectation.judge(self, view, requirement)
        if not view.named(*self.of):
            yield Check(False, self._expected, "no status request in this case").evidence(requirement)

    def check(self, response: KeptResponse, view: CaseView) -> Check:
        status = response.fields.get("status")
        is_unknown = response.status == 404 and "unknown" in self.statuses
        ok = is_unknown or (response.status == 200 and status in self.statuses)
        return Check(ok, self._expected, f"{response.status}: status {show(status)}")

    @property
    def _expected(self) -> str:
        return f"200 with status {' or '.join(self.statuses)}"


def _has_no_id(rollout: Rollout) -> bool:
    """Whether neither the start request nor the response to it has an id."""
    shown = rollout.starts[-1].fields.get("rollout_id") if rollout.starts else None
    return not rollout.given.rollout_id and not (isinstance(shown, str) and shown)


@verb(
    "cancel_disposition",
    short="dispositions",
    example=("cancelled_running", "{dispositions: not_found, rollout_id: unknown-id}"),
)
@phrase("the cancel response reports {dispositions}")
@dataclass(frozen=True, slots=True)
class CancelDisposition(ResponseExpectation):
    """The response to a cancel request reports one of these dispositions for every rollout of the case."""

    dispositions: tuple[Literal["cancelled_queued", "cancelled_running", "not_found"], ...]
    rollout_id: str = ""
    "An id in place of those of the rollouts."

    def judge(self, view: CaseView, requirement: str) -> Iterator[Evidence]:
        yield from ResponseExpectation.judge(self, view, requirement)
        if not view.named(*self.of):
            yield Check(False, self._expected, "no cancel request in this case").evidence(requirement)

    def check(self, response: KeptResponse, view: CaseView) -> list[Check]:
        results = response.fields.get("dispositions")
        results = results if isinstance(results, dict) else response.fields
        ids = [self.rollout_id] if self.rollout_id else [one.given.rollout_id for one in view.rollouts.values()]
        return [
            Check(
                results.get(one) in self.dispositions,
                self._expected,
                f"{response.status}: {one}: {show(results.get(one))}",
            )
            for one in ids
        ]

    @property
    def _expected(self) -> str:
        return f"a disposition {' or '.join(self.dispositions)}"


@verb("cancel_rejected", short="of", example="all")
@phrase("the cancel request is rejected")
@dataclass(frozen=True, slots=True)
class CancelRejected(ResponseExpectation):
    """The response to a cancel request has status 422 or 400 and a JSON body."""

    def check(self, response: KeptResponse, view: CaseView) -> Check:
        ok = response.status in (400, 422) and not isinstance(response.body, NotJson)
        return Check(ok, "422 and a JSON body", f"{response.status}")


@verb("active_rollouts", example=("{rises: true}", "{returns: true}"))
@phrase("active_rollouts rises and is never negative", rises=True)
@dataclass(frozen=True, slots=True)
class ActiveRollouts(CaseExpectation):
    """`active_rollouts` of the health responses is never negative, where it is reported at least twice."""

    admits: ClassVar = ("error",)

    rises: bool = False
    "Whether one response has to report more than 0."
    returns: bool = False
    "Whether the last response has to report what the first does: for a case with an instance of its own."

    def checks(self, view: CaseView) -> Iterator[Comparison]:
        values = [one.fields.get("active_rollouts") for one in view.others]
        counts = [value for value in values if isinstance(value, int)]
        if len(counts) < 2:
            return
        ok = min(counts) >= 0 and (not self.rises or max(counts) > 0) and (not self.returns or counts[-1] == counts[0])
        expected = "active_rollouts never negative"
        expected += ", and raised while one runs" if self.rises else ""
        expected += ", and at the end what it was at the start" if self.returns else ""
        yield Comparison(ok, expected, show(counts))
