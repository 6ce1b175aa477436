"""What the cases of a run share, and what is kept of a case while it is played: its models, its paths and its samplers."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field

from rollout_conformance.steps.engine.session import Session, State, WaitTimeout
from rollout_conformance.steps.http.keys import NOT_ASCII, WRONG_KEY
from rollout_conformance.steps.http.responses import Responses
from rollout_conformance.steps.profiles.training.card import TrainingCard
from rollout_conformance.steps.profiles.training.responses import TrainingResponse
from rollout_conformance.steps.profiles.training.wire import Wire
from rollout_conformance.steps.profiles.training.wires import WIRES

RIGHT = "right"


@dataclass(frozen=True, slots=True)
class TrainingContext:
    """`model` is the base model to train, `dialect` that of the case, `run` a nonce of this run and case, `left` the models on
    the target, `listed` how many models the target lists (None without a list), `creates` how many models the case creates."""

    card: TrainingCard
    target_key: str | None
    dialect: str
    model: str
    run: str = "rc-00000000-0x"
    left: "LeftModels" = field(default_factory=lambda: LeftModels())
    listed: int | None = None
    creates: int = 1

    @property
    def wire(self) -> Wire:
        return WIRES[self.dialect]

    @property
    def health(self) -> str:
        return self.wire.health

    def key(self, kind: str) -> str | None:
        """The key of this kind: `right`, `none`, `wrong`, `longer`, `latin`, or a name on the card. None: no key is sent."""
        right = self.target_key
        if kind == "none":
            return None
        if kind in self.card.keys:
            return self.card.keys[kind]
        return {"wrong": f"tml-{WRONG_KEY}", "latin": NOT_ASCII, "longer": f"{right}x"}.get(kind, right)


@dataclass(slots=True)
class Model:
    """A model (a run, in the dialect `signal`) of the case: its id, the key of its owner, and the next sequence number."""

    id: str
    key: str = RIGHT
    next_seq: int = 1

    def take(self, seq: int | None) -> int:
        """The number of the next call, or the one that the case names."""
        taken = self.next_seq if seq is None else seq
        self.next_seq = max(self.next_seq, taken + 1)
        return taken


@dataclass(slots=True)
class LeftModels:
    """The models of a run on the target, each with the gate that opens at the end of its case, and the cases with how many models each
    creates. `room` is how many models the target held when it rejected one; None where it has rejected none."""

    models: list[tuple[Model, asyncio.Event]] = field(default_factory=list)
    cases: list[tuple[asyncio.Event, int]] = field(default_factory=list)
    room: int | None = None

    def learn(self, held: int) -> None:
        """It held so many when it rejected another one."""
        self.room = min(held, self.room or held)

    def gates(self) -> list[asyncio.Event]:
        """Of the cases that have not ended; the others are forgotten."""
        self.cases[:] = [(end, count) for end, count in self.cases if not end.is_set()]
        return [end for end, _ in self.cases]

    def held(self) -> int:
        """How many models the cases that have not ended have created or will create."""
        return sum(count for end, count in self.cases if not end.is_set())


@dataclass(slots=True)
class Client:
    """One tenant of the case: its session, and the numbers that are counted in it."""

    session_id: str = ""
    next_model: int = 0
    next_sampler: int = 0


@dataclass(slots=True)
class Sampler:
    """What is sampled from: a sampling session with its own counter, or a path."""

    members: Mapping[str, object]
    next_seq: int = 0
    counted: bool = False


@dataclass(slots=True)
class Book:
    """All that a case has made. `paths` are those that the target returned, by the names of the case."""

    models: dict[str, Model] = field(default_factory=dict)
    clients: dict[str, Client] = field(default_factory=dict)
    paths: dict[str, str] = field(default_factory=dict)
    samplers: dict[str, Sampler] = field(default_factory=dict)


class Stopped(WaitTimeout):
    """The case cannot continue: an earlier response lacks what the next request is made of. The judge finds the reason in that response."""


class TrainingState(State, total=False):
    """What the verbs keep while a case is played."""

    responses: Responses[TrainingResponse]
    book: Book
    stopped: str


TrainingSession = Session[TrainingState, TrainingContext]


def book_of(session: TrainingSession) -> Book:
    """What the case has made so far."""
    return session.state.setdefault("book", Book())
