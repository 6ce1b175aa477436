"""What may be demanded of the responses to requests for a result (leased dialect)."""

from dataclasses import dataclass
from typing import Literal

from rollout_conformance.steps.engine.json_diff import first, show
from rollout_conformance.steps.engine.trace import Event, NotJson
from rollout_conformance.steps.engine.verbs import phrase, verb
from rollout_conformance.steps.http.checks import Check, ResponseExpectation
from rollout_conformance.steps.http.responses import KeptResponse
from rollout_conformance.steps.profiles.rollout.result_client import ENDED, RUNNING, protocol_members
from rollout_conformance.steps.profiles.rollout.view import CaseView, Rollout

CHANGED, CHANGED_BY_CANCELLING = "ROLLOUT-277", "ROLLOUT-285"


@verb("result_status", short="statuses", example=("success", "[cancelled, failure]", "[queued, running]"))
@phrase("the result response reports {statuses}")
@dataclass(frozen=True, slots=True)
class ResultStatus(ResponseExpectation):
    """The response to a request for a result is 200 and reports one of these statuses."""

    statuses: tuple[Literal["queued", "running", "grading", "success", "failure", "cancelled"], ...]

    def check(self, response: KeptResponse, view: CaseView) -> Check:
        status = response.fields.get("status")
        ok = response.status == 200 and status in self.statuses
        return Check(ok, f"200 with status {' or '.join(self.statuses)}", f"{response.status}: status {show(status)}")


@verb("result_refused", short="statuses", example=("[403, 404]", "404"))
@phrase("the result request is rejected with {statuses:statuses}")
@dataclass(frozen=True, slots=True)
class ResultRefused(ResponseExpectation):
    """The response to a request for a result has one of these statuses, a JSON body, and nothing of a result."""

    statuses: tuple[int, ...]

    def check(self, response: KeptResponse, view: CaseView) -> Check:
        shows = response.fields.get("sample") is not None or response.fields.get("status") in (*RUNNING, *ENDED)
        ok = response.status in self.statuses and not isinstance(response.body, NotJson) and not shows
        expected = f"{' or '.join(map(str, self.statuses))} and nothing of the result"
        return Check(ok, expected, response.shown()[:300])


@verb("result_repeated", short="rollout", example="left")
@phrase("the result response is equal to the first result")
@dataclass(frozen=True, slots=True)
class ResultRepeated(ResponseExpectation):
    """The response to a request for a result is equal, as JSON, to the first response that reported the end of the rollout. Another one
    breaks one requirement, whatever the case is about, unless the rollout was cancelled in between."""

    rollout: str = ""
    or_statuses: tuple[int, ...] = ()
    "Statuses of a response without a result that are right as well."

    def check(self, response: KeptResponse, view: CaseView) -> Check | None:
        rollout: Rollout | None = view.rollouts.get(self.rollout)
        if rollout is None or not rollout.polls or rollout.result is None:
            return None
        original = next(poll for poll in rollout.polls if poll.n == rollout.result.n)
        cancelled = any(original.n < event.exchange < response.n for event in _cancellations(rollout))
        accused = CHANGED_BY_CANCELLING if cancelled else CHANGED
        if response.status != 200:
            ok = response.status in self.or_statuses
            return Check(ok, "200 and the same result again", response.shown()[:300], requirement=accused)
        difference = first(protocol_members(original.body), protocol_members(response.body), "result")
        ok = difference is None or difference.only_null
        observed = str(difference) if difference else "equal"
        return Check(ok, f"the result of call {original.n} again", observed, requirement=accused)


def _cancellations(rollout: Rollout) -> list[Event]:
    return [event for event in rollout.events if event.name == "CancelSent"]
