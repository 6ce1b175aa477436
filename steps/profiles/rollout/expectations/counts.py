"""How many requests of a rollout reach the trainer."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from rollout_conformance.steps.engine.comparison import Comparison
from rollout_conformance.steps.engine.verbs import phrase, verb
from rollout_conformance.steps.profiles.rollout.expectations.base import RolloutExpectation
from rollout_conformance.steps.profiles.rollout.view import CaseView, Rollout


@dataclass(frozen=True, slots=True)
class CountExpectation(RolloutExpectation):
    """A demand on a number: this one, or one between two."""

    exactly: int | None = None
    "This many."
    least: int | None = None
    "At least this many."
    most: int | None = None
    "At most this many; without it there is no upper bound."

    def __post_init__(self) -> None:
        if (self.exactly is None) == (self.least is None) or (self.exactly is not None and self.most is not None):
            raise ValueError("this is a number, or {least: 1, most: 3}")

    def compared(self, counted: int, what: str, messages: Sequence[Any]) -> Comparison:
        if self.exactly is not None:
            ok, expected = counted == self.exactly, f"{self.exactly} {what}(s)"
        else:
            least, most = self.least or 0, self.most
            ok = least <= counted and (most is None or counted <= most)
            expected = f"{least} to {most or 'any number of'} {what}s"
        return Comparison(ok, expected, f"{counted}", tuple(message.n for message in messages[-2:]))


@verb("generation_requests", short="exactly", example=("3", "{least: 1, most: 3, rollout: left}"))
@phrase("the trainer receives {exactly} generation request(s)")
@phrase("the trainer receives {least} to {most} generation requests")
@dataclass(frozen=True, slots=True)
class GenerationRequests(CountExpectation):
    """This many generation requests of the rollout reach the trainer, retries included."""

    def check(self, rollout: Rollout, view: CaseView) -> Iterator[Comparison]:
        yield self.compared(len(rollout.chats), "generation request", rollout.chats)


@verb("callbacks", short="exactly", example=("1", "{least: 1, most: 2}"))
@phrase("the trainer receives {exactly} completed callback(s)")
@phrase("the trainer receives {least} to {most} completed callbacks")
@dataclass(frozen=True, slots=True)
class Callbacks(CountExpectation):
    """This many completed callbacks of the rollout reach the trainer, repetitions included. In the sync dialect, which has none, nothing is
    judged."""

    def check(self, rollout: Rollout, view: CaseView) -> Iterator[Comparison]:
        if view.dialect == "sync":
            return
        least = self.least or 0 if self.exactly is None else self.exactly
        acked = next((n for n, callback in enumerate(rollout.posts, 1) if callback.acked), len(rollout.posts))
        counted = acked if least <= acked else len(rollout.posts)  # those after the acknowledgement are ROLLOUT-140's
        yield self.compared(counted, "completed callback", rollout.posts)
