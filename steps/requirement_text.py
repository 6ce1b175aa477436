"""A requirement in full, as text."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from rollout_conformance.contracts.reports import BugReport, cited
from rollout_conformance.contracts.requirements import Requirement
from rollout_conformance.steps.engine.findings import Location


class CaseEntry(Protocol):
    """What is printed of a case."""

    @property
    def name(self) -> str: ...
    @property
    def dialect(self) -> str: ...
    @property
    def at(self) -> Location: ...


def requirement_text(
    requirement: Requirement,
    cases: Iterable[CaseEntry],
    reports: Sequence[BugReport] = (),
    meanings: Mapping[str, str] | None = None,
) -> str:
    """A requirement with the public reports of it and the cases that are about it; `meanings` are those of its needs."""
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
    lines += [f"  needs     {_need(name, meanings or {})}" for name in requirement.needs]
    if reports:
        references = cited(reports)
        lines.append(f"  seen in the wild: {len(references)} report{'s' if len(references) > 1 else ''}")
        lines += [f"    {', '.join(report.references)}: {report.symptom}" for report in reports]
    played: dict[str, list[str]] = {}
    for case in cases:
        played.setdefault(f"{case.at}  {case.name}", []).append(case.dialect)
    lines += [f"  case      {one} [{', '.join(dialects)}]" for one, dialects in played.items()]
    return "\n".join(lines)


def _need(name: str, meanings: Mapping[str, str]) -> str:
    return f"{name}: {meanings[name]}" if name in meanings else name
