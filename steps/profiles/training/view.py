"""One case as its expectations and invariants read it."""

from dataclasses import dataclass

from rollout_conformance.steps.engine.cases import Case
from rollout_conformance.steps.http.client_case import HttpView
from rollout_conformance.steps.http.responses import responses_of
from rollout_conformance.steps.profiles.training.context import TrainingContext, TrainingSession
from rollout_conformance.steps.profiles.training.responses import TrainingResponse


@dataclass(frozen=True, slots=True)
class TrainingView(HttpView[TrainingResponse, TrainingContext]):
    """`stopped` says what the case lacked when it could not continue; `patience_s` how long a silent target is waited for; `alone` whether
    no other case was in flight."""

    stopped: str = ""
    patience_s: float = 10.0
    alone: bool = False

    @property
    def judged(self) -> list[TrainingResponse]:
        """All responses in the order of their requests, those of requests that only prepare the case too."""
        return list(self.responses)

    @property
    def tolerance(self) -> float:
        return self.context.card.within


def read(session: TrainingSession, case: Case) -> TrainingView:
    """`read` of the profile."""
    if waits := session.state.get("wait_timeouts", []):
        session.state["stopped"] = waits[0][1]
        session.state["wait_timeouts"] = []  # the reason is in an earlier response, and `cause` finds it there
    return TrainingView(
        session.trace,
        responses_of(session),
        session.context,
        session.state.get("stopped", ""),
        session.patience_s,
        session.state.get("apart", False),
    )
