"""What the reports of several runs are compared by: one end a case, also where it was played several times."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rollout_conformance.steps.engine import report_file
from rollout_conformance.steps.engine.findings import BROKEN, SuiteError, Verdict
from rollout_conformance.steps.engine.report_file import WORST_FIRST, Header

DIALECT = re.compile(r"\[([^\[\]]*)\]$")
JUDGED = frozenset({Verdict.PASS, *BROKEN})


@dataclass(frozen=True, slots=True)
class End:
    """The worst verdict of a case in one run, and how long it took at least, in seconds."""

    verdict: Verdict
    seconds: float

    @property
    def judged(self) -> bool:
        return self.verdict in JUDGED


@dataclass(frozen=True, slots=True)
class PastRun:
    """A report, read for comparison. `aborted` is why it is no evidence. `requirements` are the worst verdict by requirement and dialect,
    `levels` those of the requirements."""

    file: Path
    header: Header
    aborted: str | None
    cases: dict[str, End]
    requirements: dict[str, dict[str, Verdict]] = field(default_factory=dict)
    levels: dict[str, str] = field(default_factory=dict)

    @property
    def broken(self) -> set[str]:
        return {name for name, found in self.requirements.items() if any(one in BROKEN for one in found.values())}

    @property
    def kept(self) -> set[str]:
        return {name for name, found in self.requirements.items() if Verdict.PASS in found.values()} - self.broken


def load(file: Path) -> PastRun:
    """Raises `SuiteError` for a file that is no report."""
    report = report_file.read(file)
    cases: dict[str, End] = {}
    requirements: dict[str, dict[str, Verdict]] = {}
    levels: dict[str, str] = {}
    for result in report.results():
        end, known = End(result.verdict, result.seconds), cases.get(result.case)
        cases[result.case] = end if known is None else _worse(known, end)
        dialect = dialect_of(result.case)
        for one in result.requirements:
            levels[one.id] = one.level
            seen = requirements.setdefault(one.id, {})
            seen[dialect] = min(one.verdict, seen.get(dialect, one.verdict), key=WORST_FIRST.index)
    return PastRun(file, report.header, report.aborted, cases, requirements, levels)


def _worse(one: End, other: End) -> End:
    verdict = min(one.verdict, other.verdict, key=WORST_FIRST.index)
    return End(verdict, min(one.seconds, other.seconds))


def dialect_of(case: str) -> str:
    """The dialect at the end of the id of a case."""
    found = DIALECT.search(case)
    return found[1] if found else ""


def name_of(case: str) -> str:
    """The id of a case without its file."""
    return case.partition("::")[2] or case


def told_apart(targets: Sequence[tuple[str, str]]) -> list[str]:
    """The names of targets, given with their reports: with the report where several have one name, and with a number where that is the same too."""
    names = Counter(name for name, _ in targets)
    shown = [name if names[name] == 1 else f"{name} ({report})" for name, report in targets]
    several = Counter(shown)
    return [name if several[name] == 1 else f"{name} #{n}" for n, name in enumerate(shown, start=1)]


def of_one_profile(runs: list[PastRun]) -> str:
    """The profile of all these runs. Raises `SuiteError` where they have several."""
    profiles = sorted({one.header.profile for one in runs})
    if len(profiles) != 1:
        raise SuiteError(f"these reports are of different profiles ({', '.join(profiles)}); compare those of one.")
    return profiles[0]
