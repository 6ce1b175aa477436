"""The suite against one mutant, by one method.

The mutants are reached as processes, like any target: the judge shares no code with the judged.
"""

import asyncio
import threading
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from pathlib import Path

from rollout_conformance.steps import case_catalog
from rollout_conformance.steps.engine import shared_causes
from rollout_conformance.steps.engine import target_card as cards
from rollout_conformance.steps.engine.cases import Case
from rollout_conformance.steps.engine.findings import Verdict
from rollout_conformance.steps.engine.loop_thread import LoopThread
from rollout_conformance.steps.engine.outcome import Outcome
from rollout_conformance.steps.engine.printable import printable
from rollout_conformance.steps.mutant_list import MutantInfo, mutants_of
from rollout_conformance.steps.profiles import DEFAULT, profile_of
from rollout_conformance.steps.run_setup import RunOptions, ready

MOST_SHOWN = 160  # characters of what was observed


@dataclass(frozen=True, slots=True)
class Shown:
    """The case in which a requirement was first seen broken, and what was observed there."""

    where: str
    observed: str


@dataclass(frozen=True, slots=True)
class MutantRun:
    """What one method found in one mutant: how often each requirement was broken, where it first showed, and in which dialects it was
    broken. `undecided` are the cases about its own requirement that could not be judged, with the reasons."""

    method: str
    broken: Counter[str]
    first: Mapping[str, Shown] = field(default_factory=dict)
    dialects: Mapping[str, Set[str]] = field(default_factory=dict)
    undecided: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Search:
    """A run that ends as soon as it is known that a mutant is found: the cases about `requirements` are played first, and the others only
    where those are not `enough`."""

    requirements: frozenset[str]
    enough: Callable[[MutantRun], bool]


def judged(mutant: MutantInfo, method: str, outcomes: Sequence[Outcome], accused: str | None = None) -> MutantRun:
    """The findings of a whole run against one mutant, counted. Where one cause shows in many cases, `accused` counts for all of them; the
    mutant's own requirement counts as well where a case about it was ended so."""
    broken: Counter[str] = Counter()
    dialects: defaultdict[str, set[str]] = defaultdict(set)
    first: dict[str, Shown] = {}
    for outcome, common in zip(outcomes, shared_causes.joined(outcomes, accused), strict=True):
        found = _found(common) | (_found(outcome) & {mutant.requirement})
        broken.update(found)
        for name in found:
            dialects[name].add(outcome.case.dialect)
            first.setdefault(name, _shown(name, outcome))
    undecided = tuple(
        f'"{one.case.name}" [{one.case.dialect}]: {one.judgement.reason}'
        for one in outcomes
        if mutant.requirement in one.case.requirements
        and one.judgement.verdict in (Verdict.ERROR, Verdict.INCONCLUSIVE)
    )
    return MutantRun(method, broken, first, dict(dialects), undecided)


def _shown(name: str, outcome: Outcome) -> Shown:
    finding = next((one for one in outcome.judgement.findings if one.requirement == name), None)
    observed = printable(finding.observed)[:MOST_SHOWN] if finding else ""
    return Shown(f'"{outcome.case.name}" [{outcome.case.dialect}]', observed)


def _found(outcome: Outcome) -> set[str]:
    return {finding.requirement for finding in outcome.judgement.findings if not finding.strict_only}


async def run_mutant(
    mutant: MutantInfo, method: str, profile: str = DEFAULT, card: Path | None = None, search: Search | None = None
) -> MutantRun:
    """Run the suite by `method`: all of it, or by cases only as much as `search` asks for. Raises `SuiteError` where nothing can be judged."""
    run_options = _options(mutant, profile, card)
    if method == "cases":
        return await _by_cases(mutant, run_options, search)
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


async def _by_cases(mutant: MutantInfo, run_options: RunOptions, search: Search | None) -> MutantRun:
    async with ready(run_options) as run:
        outcomes: list[Outcome] = []
        cases = run.ordered(run.applicable(case_catalog.every(run_options.profile)))
        for some in batches(cases, search):
            outcomes += await asyncio.gather(*(run.runner.play(case) for case in some))
            found = judged(mutant, "cases", outcomes, run.profile.ends_by_itself)
            if search is not None and search.enough(found):
                break
        return found


def batches(cases: Sequence[Case], search: Search | None) -> list[list[Case]]:
    """What is played before it is asked whether that was enough."""
    if search is None:
        return [[*cases]]
    about: list[Case] = []
    others: list[Case] = []
    for case in cases:
        (about if search.requirements & {*case.requirements} else others).append(case)
    return [some for some in (about, others) if some]


_one_at_a_time = threading.Lock()  # the hooks of schemathesis are global


def _by_fuzzing(mutant: MutantInfo, run_options: RunOptions) -> list[Outcome]:
    from rollout_conformance.steps.fuzzing import contract as contracts
    from rollout_conformance.steps.fuzzing.fuzz import Plan, fuzz, outcome
    from rollout_conformance.steps.fuzzing.request_observer import Watch

    outcomes: list[Outcome] = []
    for dialect in mutant.dialects:
        file = profile_of(run_options.profile).contract.openapi(dialect)
        if not file.is_file():  # OpenAPI describes no protobuf
            continue
        contract = contracts.load(file, file.name)
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
