"""Checks that need no target: the cases compile, every requirement that can be judged is, and names what is missing."""

from contracts.requirements import Requirement
from steps import library
from steps.engine.cases import Case
from steps.engine.findings import SuiteError
from steps.running import profile_of


def problems(profile: str) -> list[str]:
    """Everything that is wrong with the cases and the catalogue of a profile, a line each."""
    try:
        cases = library.every(profile)
    except SuiteError as error:
        return str(error).splitlines()
    return [*_twice(cases), *_uncovered(profile, cases), *_misjudged(profile, cases)]


def _twice(cases: list[Case]) -> list[str]:
    seen: dict[tuple[str, str], Case] = {}
    found = []
    for case in cases:
        other = seen.setdefault((case.name, case.dialect), case)
        if other is not case:
            found.append(f"{case.at}: the name {case.name!r} is taken by {other.at}; --case could not tell them apart")
    return found


def _uncovered(profile: str, cases: list[Case]) -> list[str]:
    judged = {(name, case.dialect) for case in cases for name in case.requirements}
    return [
        f"contracts/{profile}/requirements.yaml: {entry.id} ({entry.level.upper()}) has no case in dialect {dialect}"
        for entry in profile_of(profile).catalogue.values()
        if entry.not_judged is None and entry.level == "must" and not entry.fuzzed
        for dialect in entry.dialects
        if (entry.id, dialect) not in judged
    ]


def _misjudged(profile: str, cases: list[Case]) -> list[str]:
    """Where the cases and `judged_by` of the catalogue do not agree."""
    about: dict[str, Case] = {}
    for case in cases:
        for name in case.requirements:
            about.setdefault(name, case)
    file = f"contracts/{profile}/requirements.yaml"
    found = []
    for entry in profile_of(profile).catalogue.values():
        if "case" in entry.judged_by and entry.id not in about:
            found.append(f"{file}: {entry.id}: judged_by names case, and no case is about it; write one, or not_judged")
        elif entry.id in about and not {"case", "invariant"} & set(entry.judged_by):
            says = "it is not_judged" if entry.not_judged else f"judged_by is [{', '.join(entry.judged_by)}]"
            found.append(
                f"{about[entry.id].at}: a case about {entry.id}, of which {file} says that {says}; add case there"
            )
    return found


def explanation(requirement: Requirement, cases: list[Case]) -> str:
    """A requirement in full, with the cases that are about it."""
    lines = [
        f"{requirement.id}  {requirement.level.upper()}  ({', '.join(requirement.dialects)})",
        f"  {requirement.sentence}",
    ]
    if requirement.why:
        lines.append(f"  why       {requirement.why}")
    lines.append(f"  source    {requirement.source}")
    if requirement.judged:
        lines.append(f"  judged    by {' and '.join(requirement.judged_by)}: {requirement.judged}")
    if requirement.not_judged:
        lines.append(f"  not judged: {requirement.not_judged}")
    lines += [f"  accepts   {outcome}" for outcome in requirement.accepts]
    if requirement.decision:
        lines.append(f"  decision  {requirement.decision}")
    if requirement.needs:
        lines.append(f"  needs     {', '.join(requirement.needs)}")
    about = [case for case in cases if requirement.id in case.requirements]
    lines += [f"  case      {case.at}  {case.name} [{case.dialect}]" for case in about]
    return "\n".join(lines)
