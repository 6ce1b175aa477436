"""The kill matrix: the suite against servers with one planted defect each, and what it says of them.

The mutants are reached as processes, like any target: the judge shares no code with the judged.
"""

import asyncio
import json
import sys
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

from steps import library
from steps.engine import card as cards
from steps.engine.findings import SuiteError
from steps.engine.outcome import Outcome
from steps.running import ROOT, Request, profile_of, ready

TARGET = "app:rollout_server.mutants:create_app"
LISTING = "rollout_server.mutants"


@dataclass(frozen=True, slots=True)
class Planted:
    """A mutant as it describes itself."""

    name: str
    requirement: str
    companions: tuple[str, ...]
    dialects: tuple[str, ...]
    what: str


@dataclass(frozen=True, slots=True)
class Kill:
    """What the suite found in one mutant: how often each requirement was broken, and the case that showed its own first."""

    mutant: Planted
    broken: Counter[str]
    case: str | None
    errors: int = 0

    @property
    def killed(self) -> bool:
        return self.broken[self.mutant.requirement] > 0

    @property
    def accidents(self) -> list[str]:
        """Requirements that it does not break by its own description."""
        declared = {self.mutant.requirement, *self.mutant.companions}
        return [] if "*" in declared else sorted(name for name in self.broken if name not in declared)

    def line(self) -> str:
        how = f"{self.broken[self.mutant.requirement]:>3} x  {self.case}" if self.killed else "SURVIVED"
        extra = f"   also, undeclared: {', '.join(self.accidents)}" if self.accidents else ""
        return f"{self.mutant.requirement}  {self.mutant.name:<24} {how}{extra}"


def judged(mutant: Planted, outcomes: Iterable[Outcome]) -> Kill:
    """The findings of a whole run against one mutant, counted."""
    broken: Counter[str] = Counter()
    case, errors = None, 0
    for outcome in outcomes:
        found = {finding.requirement for finding in outcome.judgement.findings if not finding.strict_only}
        broken.update(found)
        errors += outcome.judgement.verdict == "error"
        if case is None and mutant.requirement in found:
            case = f'"{outcome.case.name}" [{outcome.case.dialect}]'
    return Kill(mutant, broken, case, errors)


async def listed(only: tuple[str, ...]) -> list[Planted]:
    """The mutants there are, or those named. Raises `SuiteError` for a name that is none."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", LISTING, stdout=asyncio.subprocess.PIPE, cwd=ROOT
    )
    out, _ = await process.communicate()
    mutants = [_planted(json.loads(line)) for line in out.splitlines()]
    unknown = set(only) - {mutant.name for mutant in mutants}
    if unknown or not mutants:
        raise SuiteError(
            f"mutants: no mutant is called {', '.join(sorted(unknown)) or 'anything'}; run without --only to see all"
        )
    return [mutant for mutant in mutants if not only or mutant.name in only]


def _planted(item: dict[str, Any]) -> Planted:
    return Planted(item["name"], item["requirement"], tuple(item["companions"]), tuple(item["dialects"]), item["what"])


async def matrix(only: tuple[str, ...], jobs: int, echo: Callable[[str], None]) -> int:
    """Exit code 0 when every mutant is killed by its own requirement and by nothing undeclared, else 1."""
    gate = asyncio.Semaphore(jobs)
    kills: list[Kill] = []

    async def one(mutant: Planted) -> None:
        async with gate:
            kills.append(await kill(mutant))
            echo(kills[-1].line())

    await asyncio.gather(*(one(mutant) for mutant in await listed(only)))
    good = [k for k in kills if k.killed and not k.accidents]
    echo(
        f"{len(kills)} mutants of {len({k.mutant.requirement for k in kills})} requirements: {sum(k.killed for k in kills)} killed, "
        f"{sum(not k.killed for k in kills)} survived, {sum(bool(k.accidents) for k in kills)} with undeclared findings"
    )
    return 0 if len(good) == len(kills) else 1


async def kill(mutant: Planted) -> Kill:
    """Run every case of the mutant's dialects against it."""
    profile = profile_of("rollout")
    card = cards.load(profile.default_card)
    card = card.model_copy(
        update={"env": {**card.env, "ROLLOUT_MUTANT": mutant.name}, "dialects": list(mutant.dialects)}
    )
    request = replace(Request(target=TARGET, level="may"), described=card)
    async with ready(request) as run:
        cases = sorted(run.mine(library.every("rollout")), key=lambda case: -(2 * bool(case.variant) + case.alone))
        return judged(mutant, await asyncio.gather(*(run.campaign.play(case) for case in cases)))
