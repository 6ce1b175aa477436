"""The register of public bug reports against the catalogue, the cases and the mutants: what it names exists, and each mutant that it names is
killed by the requirement of its entry, in every dialect to which the entry applies.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from rollout_conformance.contracts.reports import BugReport
from rollout_conformance.contracts.requirements import Requirement
from rollout_conformance.steps import case_catalog, catalogues
from rollout_conformance.steps.engine import bug_reports
from rollout_conformance.steps.engine.findings import SuiteError
from rollout_conformance.steps.engine.suggestions import similar_names
from rollout_conformance.steps.mutant_list import MutantInfo, listed
from rollout_conformance.steps.mutant_run import MutantRun, Search, run_mutant
from rollout_conformance.steps.paths import ROOT
from rollout_conformance.steps.profiles import PROFILES


@dataclass(frozen=True, slots=True)
class Named:
    """What there is to be named: requirements, mutants, and the requirements of each case by its title."""

    requirements: Mapping[str, Requirement]
    mutants: Mapping[str, MutantInfo]
    cases: Mapping[str, set[str]]


async def problems(profile: str) -> list[str]:
    """What is wrong with the register of a profile, a line each."""
    try:
        reports = bug_reports.registered(profile)
        return [*_wrong(reports, await _named(profile))] if reports else []
    except SuiteError as error:
        return str(error).replace(f"{ROOT}/", "").splitlines()


async def _named(profile: str) -> Named:
    cases: defaultdict[str, set[str]] = defaultdict(set)
    for case in case_catalog.every(profile):
        cases[case.name] |= {*case.requirements}
    mutants = {mutant.name: mutant for mutant in await listed((), profile)}
    return Named(catalogues.of(profile), mutants, cases)


def _wrong(reports: Iterable[BugReport], named: Named) -> Iterator[str]:
    for report in reports:
        for problem in wrong_in(report, named):
            yield f"{report.at.removeprefix(f'{ROOT}/')}: {problem}"


def wrong_in(report: BugReport, named: Named) -> Iterator[str]:
    """What is wrong in one entry."""
    requirement = named.requirements.get(report.requirement)
    if requirement is None:
        yield _unknown("requirement", report.requirement, named.requirements)
        return
    for dialect in sorted({*report.dialects} - {*requirement.dialects}):
        yield f"dialects: saw {dialect!r}; {requirement.id} applies in {', '.join(requirement.dialects)}"
    if report.mutant is not None:
        yield from _wrong_mutant(report, report.mutant, requirement, named.mutants)
    elif report.case is not None:
        yield from _wrong_case(report.case, requirement, named.cases)


def _wrong_mutant(
    report: BugReport, name: str, requirement: Requirement, mutants: Mapping[str, MutantInfo]
) -> Iterator[str]:
    mutant = mutants.get(name)
    if mutant is None:
        yield _unknown("mutant", name, mutants)
        return
    breaks = (mutant.requirement, *mutant.companions)
    if requirement.id not in breaks:
        yield f"requirement: saw {requirement.id}; the mutant {name} breaks {', '.join(breaks)}"
    elif not applies_to(report, mutant, requirement):
        yield f"mutant: {name} has its defect in {', '.join(mutant.dialects)}, where this entry does not apply"
    for dialect in sorted({*report.dialects} - {*mutant.dialects}):
        yield f"dialects: saw {dialect!r}; the mutant {name} has its defect in {', '.join(mutant.dialects)}"


def _wrong_case(title: str, requirement: Requirement, cases: Mapping[str, set[str]]) -> Iterator[str]:
    if title not in cases:
        yield _unknown("case", title, cases)
    elif requirement.id not in cases[title]:
        yield f"case: {title!r} is about {', '.join(sorted(cases[title]))}, not about {requirement.id}"


def _unknown(what: str, name: str, known: Iterable[str]) -> str:
    found = similar_names(name, [*known])
    return f"{what}: saw {name!r}, which does not exist" + (f"; did you mean {' or '.join(found)}?" if found else "")


def applies_to(report: BugReport, mutant: MutantInfo, requirement: Requirement) -> tuple[str, ...]:
    """The dialects in which the mutant of an entry has to be killed: those of the entry, else all that the two have in common."""
    chosen = report.dialects or requirement.dialects
    return tuple(dialect for dialect in chosen if dialect in mutant.dialects and dialect in requirement.dialects)


async def prove(profiles: Iterable[str], only: tuple[str, ...], jobs: int, echo: Callable[[str], None]) -> int:
    """Run the mutants that the registers of these profiles name. Exit code 0 when each entry is proved, 1 when one is not, 2 when a mutant
    could not be judged."""
    codes = [await _prove(profile, only, jobs, echo) for profile in profiles if bug_reports.registered(profile)]
    return 1 if 1 in codes else max(codes, default=0)


async def _prove(profile: str, only: tuple[str, ...], jobs: int, echo: Callable[[str], None]) -> int:
    entries: defaultdict[str, list[BugReport]] = defaultdict(list)
    for report in bug_reports.registered(profile):
        if report.mutant is not None and (not only or report.mutant in only):
            entries[report.mutant].append(report)
    gate = asyncio.Semaphore(jobs)
    codes: list[int] = []

    async def one(mutant: MutantInfo) -> None:
        async with gate:
            run = await _run(mutant, profile, entries[mutant.name])
        for report in entries[mutant.name]:
            line, code = verdict(report, mutant, run, PROFILES[profile].catalogue[report.requirement])
            codes.append(code)
            echo(line)

    mutants = await listed(tuple(entries), profile) if entries else []
    await asyncio.gather(*(one(mutant) for mutant in mutants))
    echo(f"{profile}: {codes.count(0)} of {len(codes)} entries proved by {len(mutants)} mutants")
    return 1 if 1 in codes else max(codes, default=0)


async def _run(mutant: MutantInfo, profile: str, entries: Iterable[BugReport]) -> MutantRun | str:
    """What the suite finds in a mutant until all entries about it are proved, or why it could not be judged."""
    wanted = {
        (report.requirement, dialect)
        for report in entries
        for dialect in applies_to(report, mutant, PROFILES[profile].catalogue[report.requirement])
    }
    search = Search(
        frozenset(name for name, _ in wanted),
        lambda run: all(dialect in run.dialects.get(name, ()) for name, dialect in wanted),
    )
    try:
        return await run_mutant(mutant, mutant.by, profile, search=search)
    except (SuiteError, TimeoutError) as error:
        return " ".join(str(error).split()) or type(error).__name__


def verdict(report: BugReport, mutant: MutantInfo, run: MutantRun | str, requirement: Requirement) -> tuple[str, int]:
    head = f"{report.requirement}  {mutant.name:<26} {', '.join(report.references)}"
    if isinstance(run, str):
        return f"{head}: could not be judged: {run}", 2
    wanted = applies_to(report, mutant, requirement)
    missed = [dialect for dialect in wanted if dialect not in run.dialects.get(requirement.id, ())]
    if missed:
        return f"{head}: NOT KILLED by {report.requirement} in {', '.join(missed)}", 1
    return f"{head}: killed in {', '.join(wanted)}", 0
