"""Requests for the result of a leased rollout, beside those that the trainer sends anyway until the rollout has ended."""

from dataclasses import dataclass
from typing import Literal

from rollout_conformance.steps.engine.trace import Headers, Request
from rollout_conformance.steps.engine.verbs import phrase, verb
from rollout_conformance.steps.http.requests import RequestAction
from rollout_conformance.steps.http.responses import kept
from rollout_conformance.steps.profiles.rollout.context import RolloutSession, rollout_state
from rollout_conformance.steps.profiles.rollout.result_client import GRACE_S, lease_header, result_path
from rollout_conformance.steps.profiles.rollout.start_client import authorization

NO_ROLLOUT = "-"  # the label of exchanges that belong to no rollout
WRONG = "rc-no-lease-of-any-rollout"


@verb(
    "get_result",
    short="rollout",
    example=("left", "{lease: wrong}", "{rollout: left, lease_of: right}", "{times: 2}", "{leave_after_s: 0.3}"),
)
@phrase("the trainer requests the result of the rollout")
@phrase("the trainer requests the result of the rollout with a wrong lease", lease="wrong")
@phrase("the trainer requests the result of the rollout without a lease", lease="none")
@phrase("the trainer requests the result of the rollout with id {rollout_id}")
@dataclass(frozen=True, slots=True)
class GetResult(RequestAction):
    """Request the result of a rollout (leased dialect)."""

    rollout: str = ""
    rollout_id: str = ""
    "An id in place of that of the rollout."
    lease: Literal["right", "none", "wrong"] = "right"
    "The lease that is sent: that of the rollout, none, or one that no rollout has."
    lease_of: str | None = None
    "The label of another rollout whose lease is sent."
    leave_after_s: float | None = None
    "After this time without a response the connection is closed."

    async def send_one(self, session: RolloutSession, name: str, nth: int) -> None:
        state = rollout_state(session.state, self.rollout)
        rollout_id = self.rollout_id or (state.given.rollout_id if state.given else "")
        headers = (*self._lease(session), *authorization(session.context))
        request = Request("GET", result_path(rollout_id), headers, b"")
        n = await session.send(request, rollout=NO_ROLLOUT, deadline_s=self.leave_after_s or state.wait_s + GRACE_S)
        kept(session, name, n)

    def _lease(self, session: RolloutSession) -> Headers:
        if self.lease == "none":
            return ()
        known = rollout_state(session.state, self.rollout if self.lease_of is None else self.lease_of).lease
        return lease_header(WRONG if self.lease == "wrong" else known or WRONG)


@verb("no_polling", short="rollout", example="left")
@phrase("the trainer does not request the result")
@dataclass(frozen=True, slots=True)
class NoPolling:
    """From its start on, the trainer does not request the result of a rollout (leased dialect). Has no effect after the start."""

    rollout: str = ""

    async def perform(self, session: RolloutSession) -> None:
        state = rollout_state(session.state, self.rollout)
        state.polls = False
