"""Cases whose actions are any coroutine, and the profile, the peers and the run that play them in virtual time."""

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import dataclass
from typing import Any

import httpx

from rollout_conformance.steps.engine.cases import Case, Step
from rollout_conformance.steps.engine.findings import (
    Cause,
    Evidence,
    Location,
    Satisfied,
)
from rollout_conformance.steps.engine.outcome import Outcome
from rollout_conformance.steps.engine.runner import Options, Runner
from rollout_conformance.steps.engine.session import Session
from rollout_conformance.steps.engine.target_card import Card
from rollout_conformance.steps.tests import virtual_time

AT = Location("case.yaml", 1)
OPTIONS = Options("http://127.0.0.1:1", Card(patience_s=2.0, settle_s=0.1), jobs=3)


@dataclass(frozen=True)
class Do:
    """An action that is any coroutine."""

    work: Callable[[Session], Coroutine[Any, Any, None]]
    copies: int = 1

    async def perform(self, session: Session) -> None:
        await self.work(session)


@dataclass(frozen=True)
class Expect:
    """An expectation with its evidence."""

    evidence: tuple[Evidence, ...] = (Satisfied("R-1"),)

    def judge(self, view: Any, requirement: str) -> Iterable[Evidence]:
        return self.evidence


class Profile:
    """A profile of one requirement, with no invariants."""

    levels = {"R-1": "must"}  # noqa: RUF012
    hints: dict[str, str] = {}  # noqa: RUF012
    by_invariants = replaces_duplicates = masks_other_findings = at_any_level = frozenset[str]()

    def dialects_of(self, requirement: str) -> tuple[str, ...]:
        return ("sync",)

    def read(self, session: Session, case: Case) -> Session:
        return session

    def cause(self, case: Case, view: Any) -> Cause | None:
        return None

    def inconclusive_reason(self, case: Case, view: Any) -> str | None:
        return None

    def checked(self, view: Any) -> Iterable[Evidence]:
        return ()

    role = "client"

    def width(self, case: Case) -> int:
        return sum(getattr(step.what, "copies", 0) for step in case.actions)

    def subject(self, action: Any) -> str:
        return ""

    def disturbs(self, case: Case) -> bool:
        return "disturbs" in case.tags


class Peers:
    """They give nothing to a case, and lack streams."""

    def context(self, case: Case) -> object:
        return None

    def lacks(self, case: Case) -> str | None:
        return "the target declares no streams" if "streams" in case.needs else None

    async def recovered(self, client: httpx.AsyncClient, base_url: str, within_s: float) -> bool:
        return True

    async def served(self, client: httpx.AsyncClient, base_url: str, variant: str) -> None:
        return None


def case(name: str, action: Do, *tags: str, expect: Expect | None = None, **members: Any) -> Case:
    steps = (Step(action, AT), Step(expect or Expect(), AT))
    return Case(name, "rollout", "sync", ("R-1",), steps, AT, frozenset(tags), **members)


def played(*cases: Case) -> list[Outcome]:
    """The outcomes of cases that are all begun at once."""

    async def main() -> list[Outcome]:
        async with Runner(OPTIONS, Profile(), Peers(), lambda one: f"run --case {one.name}") as runner:
            return await asyncio.gather(*(runner.play(one) for one in cases))

    return virtual_time.run(main())
