"""The public bug reports of each requirement, read from the register beside its catalogue."""

import functools
from collections import defaultdict
from collections.abc import Iterable, Mapping

from rollout_conformance.contracts.reports import BugReport, RegisterError, cited, load
from rollout_conformance.steps.engine.findings import SuiteError
from rollout_conformance.steps.paths import CONTRACTS

WIDTH = 80  # of the references in a line
SHOWN = "seen in the wild"


@functools.cache
def registered(profile: str) -> tuple[BugReport, ...]:
    """The register of a profile; empty where it has none. Raises `SuiteError` for an invalid one."""
    try:
        return load(CONTRACTS / profile / "reports.yaml")
    except RegisterError as wrong:
        raise SuiteError(str(wrong)) from None


def about(requirement: str) -> tuple[BugReport, ...]:
    """The entries of a requirement, whose id begins with the name of its profile."""
    return _by_requirement(requirement.rpartition("-")[0].lower()).get(requirement, ())


def references(requirement: str) -> list[str]:
    return cited(about(requirement))


def short_line(requirement: str) -> str | None:
    """The references in one line, as many as it holds, and how many there are."""
    found = references(requirement)
    if not found:
        return None
    count = f"({len(found)} report{'s' if len(found) > 1 else ''})"
    return f"{', '.join(_first(found))} {count}"


def _first(found: Iterable[str]) -> list[str]:
    shown: list[str] = []
    for reference in found:
        if shown and len(", ".join([*shown, reference])) > WIDTH:
            return [*shown, "..."]
        shown.append(reference)
    return shown


@functools.cache
def _by_requirement(profile: str) -> Mapping[str, tuple[BugReport, ...]]:
    found: defaultdict[str, tuple[BugReport, ...]] = defaultdict(tuple)
    for report in registered(profile):
        found[report.requirement] += (report,)
    return dict(found)
