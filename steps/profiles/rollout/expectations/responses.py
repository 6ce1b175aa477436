"""What may be demanded of responses to requests that start no rollout: statuses, and what a status or a cancellation reports."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import ClassVar, Literal

from rollout_conformance.steps.engine.json_diff import show
from rollout_conformance.steps.engine.phrase_types import ORDINALS
from rollout_conformance.steps.engine.trace import NotJson
from rollout_conformance.steps.engine.verbs import phrase, verb
from rollout_conformance.steps.profiles.rollout.expectations.base import CaseExpectation, Check, shown_status
from rollout_conformance.steps.profiles.rollout.view import Answer, CaseView

CANCEL_PATH = "/rollout/cancel"


@dataclass(frozen=True, slots=True)
class ResponseExpectation(CaseExpectation):
    """A demand on each of some responses."""

    of: tuple[str, ...] = field(default=("it",), kw_only=True)
    "The responses that are meant: `it` (the last one), `first`, `second`, ..., `both`, `all`, in the order of the case."

    def checks(self, view: CaseView) -> Iterator[Check]:
        responses = self.responses(view)
        for response in (one for word in self.of for one in _meant(word, responses)):
            yield from self.check(response, view)

    def responses(self, view: CaseView) -> list[Answer]:
        """The responses that the words count."""
        return list(view.others)

    def check(self, response: Answer, view: CaseView) -> Iterator[Check]:
        raise NotImplementedError


def _meant(word: str, responses: list[Answer]) -> list[Answer]:
    if word in ORDINALS:
        at = ORDINALS.index(word)
        return responses[at : at + 1]
    return responses[-1:] if word == "it" else responses


@verb("status", short="statuses", example=("200", "{of: all, statuses: [401, 403]}"))
@phrase("{of:responses} has status {statuses:statuses}")
@phrase("{of:responses} have status {statuses:statuses}")
@dataclass(frozen=True, slots=True)
class Status(ResponseExpectation):
    """The response has one of these statuses."""

    statuses: tuple[int, ...]

    def check(self, response: Answer, view: CaseView) -> Iterator[Check]:
        request = response.exchange.request
        expected = f"{request.method} {request.path} answered {' or '.join(map(str, self.statuses))}"
        yield Check(response.status in self.statuses, expected, shown_status(response), (response.n,))


@verb("rollout_status", short="statuses", example=("success", "[queued, running]"))
@phrase("the status of the rollout is {statuses}")
@dataclass(frozen=True, slots=True)
class RolloutStatus(ResponseExpectation):
    """The response to the status request reports one of these statuses (routed dialect). `of` counts the status requests alone."""

    statuses: tuple[Literal["queued", "running", "grading", "success", "failure", "cancelled", "unknown"], ...]
    "Where `unknown` is right, a 404 is too."

    def responses(self, view: CaseView) -> list[Answer]:
        return [one for one in view.others if one.exchange.request.path.endswith("/status")]

    def checks(self, view: CaseView) -> Iterator[Check]:
        found = list(ResponseExpectation.checks(self, view))
        yield from found
        if not found:
            requests = len(self.responses(view))
            yield Check(False, self._expected, f"{requests} status request(s) in this case")

    @property
    def _expected(self) -> str:
        return f"200 with status {' or '.join(self.statuses)}"

    def check(self, response: Answer, view: CaseView) -> Iterator[Check]:
        status = response.fields.get("status")
        ok = (response.status == 404 and "unknown" in self.statuses) or (
            response.status == 200 and status in self.statuses
        )
        yield Check(ok, self._expected, f"{response.status}: status {show(status)}", (response.n,))


@verb(
    "cancel_disposition",
    short="dispositions",
    example=("cancelled_running", "{dispositions: not_found, rollout_id: unknown-id}"),
)
@phrase("the cancel response reports {dispositions}")
@dataclass(frozen=True, slots=True)
class CancelDisposition(ResponseExpectation):
    """The response to the cancel request reports one of these dispositions for every rollout of the case (routed dialect). `of` counts the
    cancel requests alone."""

    dispositions: tuple[Literal["cancelled_queued", "cancelled_running", "not_found"], ...]
    rollout_id: str = ""
    "An id in place of those of the rollouts."

    def responses(self, view: CaseView) -> list[Answer]:
        return [one for one in view.others if one.exchange.request.path == CANCEL_PATH]

    def checks(self, view: CaseView) -> Iterator[Check]:
        yield from ResponseExpectation.checks(self, view)
        if not self.responses(view):
            yield Check(False, self._expected, "no cancel request in this case")

    @property
    def _expected(self) -> str:
        return f"a disposition {' or '.join(self.dispositions)}"

    def check(self, response: Answer, view: CaseView) -> Iterator[Check]:
        results = response.fields.get("results")
        results = results if isinstance(results, dict) else response.fields
        ids = [self.rollout_id] if self.rollout_id else [one.given.rollout_id for one in view.rollouts.values()]
        for rollout_id in ids:
            reported = results.get(rollout_id)
            observed = f"{response.status}: {rollout_id}: {show(reported)}"
            yield Check(reported in self.dispositions, self._expected, observed, (response.n,))


@verb("cancel_rejected", short="of", example="all")
@phrase("the cancel request is rejected")
@dataclass(frozen=True, slots=True)
class CancelRejected(ResponseExpectation):
    """The cancel request is answered with 422 or 400 and a JSON body. `of` counts the cancel requests alone."""

    def responses(self, view: CaseView) -> list[Answer]:
        return [one for one in view.others if one.exchange.request.path == CANCEL_PATH]

    def check(self, response: Answer, view: CaseView) -> Iterator[Check]:
        ok = response.status in (400, 422) and not isinstance(response.body, NotJson)
        yield Check(ok, "422 and a JSON body", f"{response.status}", (response.n,))


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

    def checks(self, view: CaseView) -> Iterator[Check]:
        values = [one.fields.get("active_rollouts") for one in view.others]
        counts = [value for value in values if isinstance(value, int)]
        if len(counts) < 2:
            return
        ok = min(counts) >= 0 and (not self.rises or max(counts) > 0) and (not self.returns or counts[-1] == counts[0])
        expected = "active_rollouts never negative"
        expected += ", and raised while one runs" if self.rises else ""
        expected += ", and at the end what it was at the start" if self.returns else ""
        yield Check(ok, expected, show(counts))
