"""The kill matrix: the suite against servers with one planted defect each, and what it says of them.

The mutants are reached as processes, like any target: the judge shares no code with the judged.
"""

import asyncio
import sys
import threading
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from rollout_conformance.steps import case_catalog
from rollout_conformance.steps.engine import shared_causes
from rollout_conformance.steps.engine import target_card as cards
from rollout_conformance.steps.engine.findings import SuiteError, Verdict
from rollout_conformance.steps.engine.loop_thread import LoopThread
from rollout_conformance.steps.engine.outcome import Outcome
from rollout_conformance.steps.paths import ROOT
from rollout_conformance.steps.profiles import DEFAULT, PROFILES, profile_of
from rollout_conformance.steps.profiles.parts import Mutants
from rollout_conformance.steps.run_setup import RunOptions, ready

TESTS = "tests"  # of mutants that no case is asked to find


@dataclass(frozen=True, slots=True)
class MutantInfo:
    """A mutant as it describes itself; `by` is the method that has to find it."""

    name: str
    requirement: str
    companions: tuple[str, ...]
    dialects: tuple[str, ...]
    what: str
    by: str


@dataclass(frozen=True, slots=True)
class MutantRun:
    """What one method found in one mutant: how often each requirement was broken, where its own first showed, and in which dialects each
    was broken. `undecided` are the cases about its own requirement that could not be judged, with the reasons."""

    method: str
    broken: Counter[str]
    where: str | None
    dialects: Mapping[str, Set[str]] = field(default_factory=dict)
    undecided: tuple[str, ...] = ()


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
        extra = f"   also, undeclared: {', '.join(self.accidents)}" if self.accidents else ""
        return f"{self.mutant.requirement}  {self.mutant.name:<24} {how}{extra}"

    def _undecided(self) -> str:
        reasons = [reason for run in self.runs for reason in run.undecided]
        return f", not decided: {'; '.join(reasons)}" if reasons else ""

    def _told(self, run: MutantRun) -> str:
        times = run.broken[self.mutant.requirement]
        found = f"{times:>3} x  {run.where}" if times else "  -"
        return found if len(self.runs) == 1 and run.method == "cases" else f"{run.method} {found}"


def judged(mutant: MutantInfo, method: str, outcomes: Sequence[Outcome], accused: str | None = None) -> MutantRun:
    """The findings of a whole run against one mutant, counted. Where one cause shows in many cases, `accused` counts for all of them; the
    mutant's own requirement counts as well where a case about it was ended so."""
    broken: Counter[str] = Counter()
    dialects: defaultdict[str, set[str]] = defaultdict(set)
    where = None
    for outcome, common in zip(outcomes, shared_causes.joined(outcomes, accused), strict=True):
        found = _found(common) | (_found(outcome) & {mutant.requirement})
        broken.update(found)
        for name in found:
            dialects[name].add(outcome.case.dialect)
        if where is None and mutant.requirement in found:
            where = f'"{outcome.case.name}" [{outcome.case.dialect}]'
    undecided = tuple(
        f'"{one.case.name}" [{one.case.dialect}]: {one.judgement.reason}'
        for one in outcomes
        if mutant.requirement in one.case.requirements
        and one.judgement.verdict in (Verdict.ERROR, Verdict.INCONCLUSIVE)
    )
    return MutantRun(method, broken, where, dict(dialects), undecided)


def _found(outcome: Outcome) -> set[str]:
    return {finding.requirement for finding in outcome.judgement.findings if not finding.strict_only}


async def described(only: tuple[str, ...], profile: str = DEFAULT) -> list[str]:
    """A line for each mutant, and how one is served. Raises `SuiteError` for a name that is none."""
    given = mutants_of(profile)
    lines = [f"{one.requirement}  {one.name:<24} {one.what}" for one in await listed(only, profile)]
    serve = f"{given.variable}=NAME {sys.executable} -m uvicorn --factory {given.module}:create_app --port 9400"
    return [*lines, "", f"One of them as a server: {serve}"]


async def listed(only: tuple[str, ...], profile: str = DEFAULT) -> list[MutantInfo]:
    """The mutants there are, or those named. Raises `SuiteError` for a name that is none."""
    module = mutants_of(profile).module
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", module, stdout=pipe, stderr=pipe, cwd=ROOT)
    out, errors = await process.communicate()
    if process.returncode:
        last = errors.decode(errors="replace").strip().splitlines()[-1:]
        raise SuiteError(f"mutants: `python -m {module}` failed: {' '.join(last) or f'exit {process.returncode}'}")
    mutants = [_planted(line, module) for line in out.decode(errors="replace").splitlines()]
    unknown = set(only) - {mutant.name for mutant in mutants}
    if unknown or not mutants:
        raise SuiteError(
            f"mutants: no mutant is called {', '.join(sorted(unknown)) or 'anything'}; `mutants --list` shows them"
        )
    return [mutant for mutant in mutants if not only or mutant.name in only]


def mutants_of(profile: str) -> Mutants:
    """Raises `SuiteError` for a profile whose reference has none."""
    mutants = profile_of(profile).reference.mutants
    if mutants is None:
        known = ", ".join(one.name for one in PROFILES.working() if one.reference.mutants is not None)
        raise SuiteError(
            f"mutants --profile {profile}: its `reference` has no `mutants`. Give Reference(..., mutants=Mutants(module, variable)); "
            f"profiles that have them: {known}."
        )
    return mutants


def side_effects_of(profile: str) -> frozenset[str]:
    """What any defect may break along with its own requirement: the contract as a whole, and what the profile names."""
    fuzz = profile_of(profile).fuzz
    return mutants_of(profile).side_effects | (fuzz.requirements if fuzz is not None else frozenset())


class _Listed(BaseModel):
    """A line of `python -m MODULE`: one mutant. docs/add_a_profile.md describes it."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    name: str
    requirement: str
    companions: tuple[str, ...] = ()
    dialects: tuple[str, ...] = Field(min_length=1)
    what: str
    by: Literal["cases", "fuzzing", "exploration", "tests"] = "cases"


def _planted(line: str, module: str) -> MutantInfo:
    try:
        one = _Listed.model_validate_json(line)
    except ValidationError as error:
        told = "; ".join(f"{'.'.join(map(str, one['loc'])) or 'the line'}: {one['msg']}" for one in error.errors())
        raise SuiteError(
            f"mutants: `python -m {module}` printed {line[:120]!r}, which is not a mutant: {told}"
        ) from None
    return MutantInfo(one.name, one.requirement, one.companions, one.dialects, one.what, one.by)


async def matrix(
    only: tuple[str, ...],
    methods: tuple[str, ...],
    jobs: int,
    echo: Callable[[str], None],
    profile: str = DEFAULT,
    card: Path | None = None,
) -> int:
    """Run every mutant by `methods`, or each by its own where none is named.

    Exit code 0 when every mutant is killed by its own requirement and by nothing undeclared; 1 when one survived or broke what it
    does not declare, 2 when one could not be judged.
    """
    gate = asyncio.Semaphore(jobs)
    results: list[MutantResult] = []

    async def one(mutant: MutantInfo) -> None:
        async with gate:
            results.append(await _killed(mutant, methods or (mutant.by,), profile, card))
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


async def _killed(mutant: MutantInfo, methods: tuple[str, ...], profile: str, card: Path | None) -> MutantResult:
    """Run the suite against one mutant. One that cannot be judged is reported as such, and the others are run all the same."""
    runs: list[MutantRun] = []
    try:
        for method in methods:
            runs.append(await run_mutant(mutant, method, profile, card))
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


async def run_mutant(mutant: MutantInfo, method: str, profile: str = DEFAULT, card: Path | None = None) -> MutantRun:
    run_options = _options(mutant, profile, card)
    if method == "cases":
        return judged(mutant, method, await _by_cases(run_options), profile_of(profile).ends_by_itself)
    work = _by_fuzzing if method == "fuzzing" else _by_exploration
    return judged(mutant, method, await asyncio.to_thread(work, mutant, run_options))


def _options(mutant: MutantInfo, profile: str, file: Path | None = None) -> RunOptions:
    """`file` is the card of another configuration of the reference; what it does not show of a mutant is not judged there."""
    card, mutants = (
        cards.load(file or profile_of(profile).reference.card, profile_of(profile).card),
        mutants_of(profile),
    )
    env = {**card.env, mutants.variable: mutant.name}
    dialects = [dialect for dialect in mutant.dialects if file is None or dialect in card.dialects]
    card = card.model_copy(update={"env": env, "dialects": dialects})
    target = f"app:{mutants.module}:create_app"
    return replace(RunOptions(profile=profile, target=target, level="may"), described=card)


async def _by_cases(run_options: RunOptions) -> list[Outcome]:
    async with ready(run_options) as run:
        cases = run.ordered(run.applicable(case_catalog.every(run_options.profile)))
        return await asyncio.gather(*(run.runner.play(case) for case in cases))


_one_at_a_time = threading.Lock()  # the hooks of schemathesis are global


def _by_fuzzing(mutant: MutantInfo, run_options: RunOptions) -> list[Outcome]:
    from rollout_conformance.steps.fuzzing import contract as contracts
    from rollout_conformance.steps.fuzzing.fuzz import Plan, fuzz, outcome
    from rollout_conformance.steps.fuzzing.request_observer import Watch

    outcomes: list[Outcome] = []
    for dialect in mutant.dialects:
        contract = contracts.load(file := profile_of(run_options.profile).contract.openapi(dialect), file.name)
        with _one_at_a_time, LoopThread() as loop_thread:
            watch = Watch.over(replace(run_options, dialect=dialect), dialect, contract.shown, loop_thread)
            watch.on_outcome = outcomes.append
            tallies = fuzz(contract, watch, Plan())
            outcomes += [outcome(contract, watch, label, tally, "may") for label, tally in tallies.items()]
    return outcomes


def _by_exploration(mutant: MutantInfo, run_options: RunOptions) -> list[Outcome]:
    from rollout_conformance.steps.exploration.explore import explore, explore_fault_pairs

    explored = [
        found for d in mutant.dialects for found in (explore_fault_pairs(run_options, d), explore(run_options, d))
    ]
    return [outcome for found in explored for outcome in found.outcomes]
