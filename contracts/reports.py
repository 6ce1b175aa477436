"""The register of public bug reports: what others have met in real systems, and the defect that reproduces it here.

`reports.yaml` lies beside the requirements of a profile. Each entry names a requirement that the reported behaviour breaks, and a mutant of
the reference server, or a case, that shows it. An entry stays: a report that the suite no longer finds is a defect of the suite.
"""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from rollout_conformance.contracts import strict_yaml
from rollout_conformance.contracts.strict_yaml import Problem

FILE = "reports.yaml"
REFERENCE = re.compile(r"[\w.-]+/[\w.-]+#\d+")


@dataclass(frozen=True, slots=True)
class Report:
    """`seen` are public references, `owner/repository#number`; `mutant` or `case` reproduces it, in `dialects` (empty: all of the requirement)."""

    seen: tuple[str, ...]
    symptom: str
    requirement: str
    mutant: str | None
    case: str | None
    dialects: tuple[str, ...]


Text = Annotated[str, Field(min_length=1)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Entry(_Strict):
    seen: Annotated[tuple[Annotated[str, Field(pattern=f"^{REFERENCE.pattern}$")], ...], Field(min_length=1)]
    symptom: Text
    requirement: Text
    mutant: Text | None = None
    case: Text | None = None
    dialects: tuple[Text, ...] = ()


class _Register(_Strict):
    reports: tuple[_Entry, ...]


def load(path: Path) -> tuple[Report, ...]:
    """The register in `path`, empty where there is none. Raises `CatalogueError` for an invalid file."""
    if not path.is_file():
        return ()
    try:
        register = _Register.model_validate(strict_yaml.read(path))
    except ValidationError as wrong:
        told = [(one["loc"], f"{one['msg']}; saw {one['input']!r}") for one in wrong.errors()]
        raise strict_yaml.located(path, told) from None
    if problems := [*_problems(register)]:
        raise strict_yaml.located(path, problems)
    return tuple(Report(**dict(entry)) for entry in register.reports)


def _problems(register: _Register) -> Iterator[Problem]:
    known: dict[tuple[str, str], int] = {}
    for n, entry in enumerate(register.reports):
        at = ("reports", n)
        if (entry.mutant is None) == (entry.case is None):
            yield at, f"{entry.seen[0]}: write one of mutant and case, which reproduces the report"
        for reference in entry.seen:
            other = known.setdefault((reference, entry.requirement), n)
            if other != n:
                yield at, f"{reference} is listed for {entry.requirement} by entry {other + 1} already"


def by_requirement(path: Path, requirements: set[str]) -> Mapping[str, tuple[Report, ...]]:
    """The reports by the requirement that they break. Raises `CatalogueError` for a requirement that there is not."""
    found: dict[str, list[Report]] = defaultdict(list)
    for n, report in enumerate(load(path)):
        if report.requirement not in requirements:
            told = f"{report.seen[0]}: there is no requirement {report.requirement}"
            raise strict_yaml.located(path, [(("reports", n), told)])
        found[report.requirement].append(report)
    return {name: tuple(reports) for name, reports in found.items()}
