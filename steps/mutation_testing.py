"""The kill matrix: the suite against servers with one planted defect each, and what it says of them."""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from rollout_conformance.steps.engine.findings import SuiteError
from rollout_conformance.steps.mutant_list import MutantInfo, listed, side_effects_of
from rollout_conformance.steps.mutant_run import MutantRun, Search, run_mutant
from rollout_conformance.steps.profiles import DEFAULT

TESTS = "tests"  # of mutants that no case is asked to find


@dataclass(frozen=True, slots=True)
class MutantResult:
    """What the suite found in one mutant, method by method; `unjudged` says why it could not be judged, if so."""

    mutant: MutantInfo
    runs: tuple[MutantRun, ...]
    unjudged: str = ""
    side_effects: frozenset[str] = frozenset()

    @property
    def survived(self) -> bool:
        return not self.killed and not self.unjudged

    @property
    def killed(self) -> bool:
        return any(run.broken[self.mutant.requirement] for run in self.runs)

    @property
    def accidents(self) -> list[str]:
        """Requirements that it does not break by its own description."""
        declared = {self.mutant.requirement, *self.mutant.companions, *self.side_effects}
        found = {name for run in self.runs for name in run.broken}
        return [] if "*" in declared else sorted(found - declared)

    def line(self) -> str:
        if self.unjudged:
            return f"{self.mutant.requirement}  {self.mutant.name:<24} could not be judged: {self.unjudged}"
        told = [self._told(run) for run in self.runs]
        how = (
            "  ".join(told)
            if self.killed
            else f"SURVIVED {', '.join(run.method for run in self.runs)}{self._undecided()}"
        )
        return f"{self.mutant.requirement}  {self.mutant.name:<24} {how}{self._undeclared()}"

    def _undeclared(self) -> str:
        """Each with its first finding, a line each: it is a companion to declare, or a false accusation."""
        first = {name: shown for run in reversed(self.runs) for name, shown in run.first.items()}
        return "".join(
            f"\n  also, undeclared: {name} in {first[name].where}: observed {first[name].observed}"
            for name in self.accidents
        )

    def _undecided(self) -> str:
        reasons = [reason for run in self.runs for reason in run.undecided]
        return f", not decided: {'; '.join(reasons)}" if reasons else ""

    def _told(self, run: MutantRun) -> str:
        times = run.broken[self.mutant.requirement]
        found = f"{times:>3} x  {run.first[self.mutant.requirement].where}" if times else "  -"
        return found if len(self.runs) == 1 and run.method == "cases" else f"{run.method} {found}"


async def matrix(
    only: tuple[str, ...],
    methods: tuple[str, ...],
    jobs: int,
    echo: Callable[[str], None],
    profile: str = DEFAULT,
    card: Path | None = None,
    quick: bool = False,
) -> int:
    """Run every mutant by `methods`, or each by its own where none is named. `quick` plays of the cases no more than it takes to find it.

    Exit code 0 when every mutant is killed by its own requirement and by nothing undeclared; 1 when one survived or broke what it
    does not declare, 2 when one could not be judged.
    """
    gate = asyncio.Semaphore(jobs)
    results: list[MutantResult] = []

    async def one(mutant: MutantInfo) -> None:
        async with gate:
            results.append(await _killed(mutant, methods or (mutant.by,), profile, card, quick))
            echo(results[-1].line())

    mutants = await listed(only, profile)
    await asyncio.gather(*(one(mutant) for mutant in mutants if mutant.by != TESTS))
    apart = [mutant.name for mutant in mutants if mutant.by == TESTS]
    if apart:
        echo(f"not run here, found by the tests of the reference alone: {', '.join(apart)}")
    for line in _totals(results, methods):
        echo(line)
    if any(result.survived or result.accidents for result in results):
        return 1
    return 2 if any(result.unjudged for result in results) else 0


async def _killed(
    mutant: MutantInfo, methods: tuple[str, ...], profile: str, card: Path | None, quick: bool
) -> MutantResult:
    """Run the suite against one mutant. One that cannot be judged is reported as such, and the others are run all the same."""
    runs: list[MutantRun] = []
    search = Search(frozenset({mutant.requirement}), lambda run: run.broken[mutant.requirement] > 0) if quick else None
    try:
        for method in methods:
            runs.append(await run_mutant(mutant, method, profile, card, search))
    except (SuiteError, TimeoutError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        return MutantResult(mutant, tuple(runs), reason, side_effects_of(profile))
    return MutantResult(mutant, tuple(runs), side_effects=side_effects_of(profile))


def _totals(results: list[MutantResult], methods: tuple[str, ...]) -> Iterable[str]:
    for method in methods if len(methods) > 1 else ():
        mine = [run.broken[k.mutant.requirement] > 0 for k in results for run in k.runs if run.method == method]
        yield f"{method}: {sum(mine)} of {len(mine)} killed"
    yield (
        f"{len(results)} mutants of {len({k.mutant.requirement for k in results})} requirements: {sum(k.killed for k in results)} killed, "
        f"{sum(k.survived for k in results)} survived, {sum(bool(k.unjudged) for k in results)} could not be judged, "
        f"{sum(bool(k.accidents) for k in results)} with undeclared findings"
    )
