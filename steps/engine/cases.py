"""What a case is: actions to perform, expectations to judge, and where it was written.

Prose and YAML both compile to these values; nothing further down knows which of the two a case came from.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Never, Protocol, TypeGuard, cast, runtime_checkable

from typing_extensions import TypeVar

from rollout_conformance.steps.engine.findings import Evidence, Location

Needed = TypeVar("Needed", contravariant=True, default=Never)


@runtime_checkable
class Action(Protocol[Needed]):
    """Something the suite does. Frozen data with one coroutine; it drives and never judges. `Needed` is the session that it needs, that of its
    profile; an `Action` without it is one of any profile."""

    async def perform(self, session: Needed) -> None: ...


@runtime_checkable
class Expectation(Protocol[Needed]):
    """A demand on the whole trace, judged after the case has settled. Frozen data with one pure function. `Needed` is the view that it needs,
    that of its profile; an `Expectation` without it is one of any profile."""

    def judge(self, view: Needed, requirement: str) -> Iterable[Evidence]: ...


@dataclass(frozen=True, slots=True)
class Step:
    """One line of a case: its value and where it stands."""

    what: Action | Expectation
    at: Location = field(compare=False)
    text: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Live:
    """What a case demands when a real model generates: its own expectations where `expectations` is None, else these.

    It is played `runs` times, each sampled anew if there are several, and holds when at least `least` of them do.
    """

    expectations: tuple[Step, ...] | None = None
    runs: int = 1
    least: int = 1


@dataclass(frozen=True, slots=True)
class Case:
    """One scenario in one dialect. `requirements[0]` is what a failed expectation accuses.

    `needs` are capabilities without which the case is skipped; `variant` names a differently configured instance of the
    target; `alone` asks for an instance that no other case uses, because this one will stop it. Without `live` the case is about
    a script, and not played when a real model generates.
    """

    name: str
    profile: str
    dialect: str
    requirements: tuple[str, ...]
    steps: tuple[Step, ...]
    at: Location = field(compare=False)
    tags: frozenset[str] = frozenset()
    needs: frozenset[str] = frozenset()
    variant: str = ""
    alone: bool = False
    live: Live | None = None

    def on_live(self) -> "Case":
        """The case with what it demands when a real model generates."""
        if self.live is None or self.live.expectations is None:
            return self
        return replace(self, steps=(*self.actions, *self.live.expectations))

    @property
    def id(self) -> str:
        """Unique in a run and stable under edits elsewhere in the file."""
        return f"{self.at.file}::{self.name}[{self.dialect}]"

    @property
    def actions(self) -> tuple[Step, ...]:
        return tuple(step for step in self.steps if is_action(step.what))

    @property
    def expectations(self) -> tuple[Step, ...]:
        return tuple(step for step in self.steps if is_expectation(step.what))


def is_action(what: object) -> TypeGuard[Action]:
    return _is(cast("type[Action]", type(what)), Action)  # mypy takes no `type[object]` for hashable


def is_expectation(what: object) -> TypeGuard[Expectation]:
    return _is(cast("type[Expectation]", type(what)), Expectation)


@cache
def _is(kind: type, protocol: type) -> bool:
    """Python compares the members of a class with those of a protocol at every `isinstance`, and a run asks 100,000 times."""
    return issubclass(kind, protocol)


async def perform(step: Step, session: object) -> None:
    """Perform the action of a step. The session is that of the profile of its case, whose vocabulary has compiled it: the engine knows none of
    the types that they agree on."""
    await cast("Action[object]", step.what).perform(session)


def judge(step: Step, view: object, requirement: str) -> Iterable[Evidence]:
    """What the expectation of a step says of a view, which is that of the profile of its case."""
    return cast("Expectation[object]", step.what).judge(view, requirement)
