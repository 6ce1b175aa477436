"""What the cases of a run share when they judge a worker, and what the verbs keep while a case is played."""

import asyncio
from dataclasses import dataclass, field

from rollout_conformance.steps.engine.session import Session, State
from rollout_conformance.steps.http.client_case import HttpContext
from rollout_conformance.steps.peers.tokens import Tokens
from rollout_conformance.steps.profiles.worker.card import WorkerCard
from rollout_conformance.steps.profiles.worker.dialects import DIALECTS
from rollout_conformance.steps.profiles.worker.dialects.base import Dialect, Framing
from rollout_conformance.steps.profiles.worker.job_spec import JobSpec
from rollout_conformance.steps.sse.streams import Reading


@dataclass(frozen=True, slots=True)
class WorkerContext(HttpContext):
    """`tokens` is the tokenizer that prompts are encoded with in dialects that take ids; `model` the one that the worker has loaded, where
    the card or the health check names it."""

    dialect: Dialect = field(default_factory=lambda: DIALECTS["orcd"])
    tokens: Tokens | None = None
    model: str | None = None

    @property
    def framing(self) -> Framing:
        card = self.card
        declared = card.framing if isinstance(card, WorkerCard) else None
        return declared or self.dialect.framing

    @property
    def tolerance(self) -> float:
        return self.card.logprob_tolerance if isinstance(self.card, WorkerCard) else 0.0


@dataclass(slots=True)
class Running:
    """A job whose response is not complete: its request, what was read of it, and whether the client is to disconnect."""

    spec: JobSpec
    task: "asyncio.Task[object] | None"
    reading: Reading | None = None
    left: bool = False
    done: bool = False


class WorkerState(State, total=False):
    """The jobs by name, when each was cancelled (seconds since the case began), why the case could not be played as written, when it
    stopped the worker (seconds since the case began), and whether the worker had to be killed then."""

    jobs: dict[str, Running]
    cancels: dict[str, float]
    cancelled_ids: set[str]
    unplayable: str
    stopped: float
    killed: bool


WorkerSession = Session[WorkerState, WorkerContext]


def jobs(session: WorkerSession) -> dict[str, Running]:
    found: dict[str, Running] = session.state.setdefault("jobs", {})
    return found


def cancels(session: WorkerSession) -> dict[str, float]:
    found: dict[str, float] = session.state.setdefault("cancels", {})
    return found


def cancelled_ids(session: WorkerSession) -> set[str]:
    """The ids that were cancelled, of jobs and of what never was."""
    found: set[str] = session.state.setdefault("cancelled_ids", set())
    return found
