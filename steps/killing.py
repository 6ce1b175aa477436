"""The kill matrix: the suite against servers with one planted defect each, and what it says of them.

The mutants are reached as processes, like any target: the judge shares no code with the judged.
"""

import asyncio
import json
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rollout_conformance.steps import library
from rollout_conformance.steps.engine import card as cards
from rollout_conformance.steps.engine import causes
from rollout_conformance.steps.engine.background import Background
from rollout_conformance.steps.engine.findings import SuiteError
from rollout_conformance.steps.engine.outcome import Outcome
from rollout_conformance.steps.paths import ROOT
from rollout_conformance.steps.running import Request, profile_of, ready

LISTING = {
    "rollout": "rollout_conformance.rollout_server.mutants.rollout",
    "trainer": "rollout_conformance.rollout_server.mutants.trainer",
    "chat": "rollout_conformance.rollout_server.mutants.inference",
    "router": "rollout_conformance.rollout_server.mutants.router",
}
VARIABLE = {
    "rollout": "ROLLOUT_MUTANT",
    "trainer": "TRAINER_MUTANT",
    "chat": "ENGINE_MUTANT",
    "router": "ROUTER_MUTANT",
}
TESTS = "tests"  # of mutants that no case is asked to find
BY_FUZZING = tuple(
    f"{profile.upper()}-{n}" for profile in LISTING for n in range(300, 304)
)  # the contract breaks along with much else
ANY_END = ("ROLLOUT-231",)  # a rollout that a defect ends early


@dataclass(frozen=True, slots=True)
class Planted:
    """A mutant as it describes itself; `by` is the method that has to find it."""

    name: str
    requirement: str
    companions: tuple[str, ...]
    dialects: tuple[str, ...]
    what: str
    by: str


@dataclass(frozen=True, slots=True)
class Hunt:
    """What one method found in one mutant: how often each requirement was broken, and where its own first showed."""

    method: str
    broken: Counter[str]
    where: str | None


@dataclass(frozen=True, slots=True)
class Kill:
    """What the suite found in one mutant, method by method; `unjudged` says why it could not be judged, if so."""

    mutant: Planted
    hunts: tuple[Hunt, ...]
    unjudged: str = ""

    @property
    def survived(self) -> bool:
        return not self.killed and not self.unjudged

    @property
    def killed(self) -> bool:
        return any(hunt.broken[self.mutant.requirement] for hunt in self.hunts)

    @property
    def accidents(self) -> list[str]:
        """Requirements that it does not break by its own description."""
        declared = {self.mutant.requirement, *self.mutant.companions, *BY_FUZZING, *ANY_END}
        found = {name for hunt in self.hunts for name in hunt.broken}
        return [] if "*" in declared else sorted(found - declared)

    def line(self) -> str:
        if self.unjudged:
            return f"{self.mutant.requirement}  {self.mutant.name:<24} could not be judged: {self.unjudged}"
        told = [self._told(hunt) for hunt in self.hunts]
        how = "  ".join(told) if self.killed else f"SURVIVED {', '.join(hunt.method for hunt in self.hunts)}"
        extra = f"   also, undeclared: {', '.join(self.accidents)}" if self.accidents else ""
        return f"{self.mutant.requirement}  {self.mutant.name:<24} {how}{extra}"

    def _told(self, hunt: Hunt) -> str:
        times = hunt.broken[self.mutant.requirement]
        found = f"{times:>3} x  {hunt.where}" if times else "  -"
        return found if len(self.hunts) == 1 and hunt.method == "cases" else f"{hunt.method} {found}"


def judged(mutant: Planted, method: str, outcomes: Sequence[Outcome], accused: str | None = None) -> Hunt:
    """The findings of a whole run against one mutant, counted. Where one cause shows in many cases, `accused` counts for all of them; the
    mutant's own requirement counts as well where a case about it was ended so."""
    broken: Counter[str] = Counter()
    where = None
    for outcome, common in zip(outcomes, causes.joined(outcomes, accused), strict=True):
        found = _found(common) | (_found(outcome) & {mutant.requirement})
        broken.update(found)
        if where is None and mutant.requirement in found:
            where = f'"{outcome.case.name}" [{outcome.case.dialect}]'
    return Hunt(method, broken, where)


def _found(outcome: Outcome) -> set[str]:
    return {finding.requirement for finding in outcome.judgement.findings if not finding.strict_only}


async def listed(only: tuple[str, ...], profile: str = "rollout") -> list[Planted]:
    """The mutants there are, or those named. Raises `SuiteError` for a name that is none."""
    if profile not in LISTING:
        raise SuiteError(f"--profile {profile}: it has no mutants. Known: {', '.join(LISTING)}.")
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", LISTING[profile], stdout=asyncio.subprocess.PIPE, cwd=ROOT
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
    companions, dialects = tuple(item["companions"]), tuple(item["dialects"])
    return Planted(item["name"], item["requirement"], companions, dialects, item["what"], item["by"])


async def matrix(
    only: tuple[str, ...],
    methods: tuple[str, ...],
    jobs: int,
    echo: Callable[[str], None],
    profile: str = "rollout",
) -> int:
    """Hunt every mutant by `methods`, or each by its own where none is named.

    Exit code 0 when every mutant is killed by its own requirement and by nothing undeclared; 1 when one survived or broke what it
    does not declare, 2 when one could not be judged.
    """
    gate = asyncio.Semaphore(jobs)
    kills: list[Kill] = []

    async def one(mutant: Planted) -> None:
        async with gate:
            kills.append(await _killed(mutant, methods or (mutant.by,), profile))
            echo(kills[-1].line())

    mutants = await listed(only, profile)
    await asyncio.gather(*(one(mutant) for mutant in mutants if mutant.by != TESTS))
    apart = [mutant.name for mutant in mutants if mutant.by == TESTS]
    if apart:
        echo(f"not hunted here, found by the tests of the reference alone: {', '.join(apart)}")
    for line in _totals(kills, methods):
        echo(line)
    if any(kill.survived or kill.accidents for kill in kills):
        return 1
    return 2 if any(kill.unjudged for kill in kills) else 0


async def _killed(mutant: Planted, methods: tuple[str, ...], profile: str) -> Kill:
    """Hunt one mutant. One that cannot be judged is told as such, and the others are hunted all the same."""
    hunts: list[Hunt] = []
    try:
        for method in methods:
            hunts.append(await hunt(mutant, method, profile))
    except (SuiteError, TimeoutError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        return Kill(mutant, tuple(hunts), reason)
    return Kill(mutant, tuple(hunts))


def _totals(kills: list[Kill], methods: tuple[str, ...]) -> Iterable[str]:
    for method in methods if len(methods) > 1 else ():
        mine = [hunt.broken[k.mutant.requirement] > 0 for k in kills for hunt in k.hunts if hunt.method == method]
        yield f"{method}: {sum(mine)} of {len(mine)} killed"
    yield (
        f"{len(kills)} mutants of {len({k.mutant.requirement for k in kills})} requirements: {sum(k.killed for k in kills)} killed, "
        f"{sum(k.survived for k in kills)} survived, {sum(bool(k.unjudged) for k in kills)} could not be judged, "
        f"{sum(bool(k.accidents) for k in kills)} with undeclared findings"
    )


async def hunt(mutant: Planted, method: str, profile: str = "rollout") -> Hunt:
    request = _request(mutant, profile)
    if method == "cases":
        return judged(mutant, method, await _by_cases(request), profile_of(profile).ends_by_itself)
    work = _by_fuzzing if method == "fuzzing" else _by_exploration
    return judged(mutant, method, await asyncio.to_thread(work, mutant, request))


def _request(mutant: Planted, profile: str) -> Request:
    card = cards.load(profile_of(profile).default_card)
    env = {**card.env, VARIABLE[profile]: mutant.name}
    card = card.model_copy(update={"env": env, "dialects": list(mutant.dialects)})
    target = f"app:{LISTING[profile]}:create_app"
    return replace(Request(profile=profile, target=target, level="may"), described=card)


async def _by_cases(request: Request) -> list[Outcome]:
    async with ready(request) as run:
        cases = run.ordered(run.mine(library.every(request.profile)))
        return await asyncio.gather(*(run.campaign.play(case) for case in cases))


_one_at_a_time = threading.Lock()  # the hooks of schemathesis are global


def _by_fuzzing(mutant: Planted, request: Request) -> list[Outcome]:
    from rollout_conformance.steps.fuzzing import contract as contracts
    from rollout_conformance.steps.fuzzing.fuzz import Plan, fuzz, outcome
    from rollout_conformance.steps.fuzzing.watch import Watch

    heard: list[Outcome] = []
    for dialect in mutant.dialects:
        contract = contracts.load(file := contract_file(request.profile, dialect), file.name)
        with _one_at_a_time, Background() as background:
            watch = Watch.over(replace(request, dialect=dialect), dialect, contract.shown, background)
            watch.heard = heard.append
            tallies = fuzz(contract, watch, Plan())
            heard += [outcome(contract, watch, label, tally, "may") for label, tally in tallies.items()]
    return heard


def contract_file(profile: str, dialect: str) -> Path:
    """The contract of a dialect, or the one that all dialects of a profile share."""
    own = ROOT / "contracts" / profile / f"openapi.{dialect}.yaml"
    return own if own.is_file() else own.with_name("openapi.yaml")


def _by_exploration(mutant: Planted, request: Request) -> list[Outcome]:
    from rollout_conformance.steps.exploration.explore import campaign, explore

    explored = [found for d in mutant.dialects for found in (campaign(request, d), explore(request, d))]
    return [outcome for found in explored for outcome in found.heard]
