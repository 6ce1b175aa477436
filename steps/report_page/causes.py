"""Findings of one cause together: the same requirement, broken in the same way, whatever the numbers and ids in it."""

from dataclasses import dataclass, field

from rollout_conformance.steps.engine.failure_report import PLACE, SHAPE
from rollout_conformance.steps.engine.findings import LEVELS
from rollout_conformance.steps.engine.report_file import Broken, Result

LISTED = 400  # cases that a cause names
LONGEST = 2_000  # characters of a text that the overview shows
Shape = tuple[str, str, str]


@dataclass(slots=True)
class Cause:
    """`count` cases show it; `first` of them break nothing else before it. `example` is the gravest finding, of case number `case`."""

    number: int
    requirement: str
    level: str
    example: Broken
    case: int
    count: int = 0
    first: int = 0
    known: bool = False
    cases: list[int] = field(default_factory=list)
    last: int = -1

    def add(self, case: int, leads: bool) -> None:
        """One case more. Its findings come in a row."""
        if self.last != case:
            self.last = case
            self.count += 1
            self.first += leads
            if len(self.cases) < LISTED:
                self.cases.append(case)


@dataclass(slots=True)
class Causes:
    """All causes of a run, in the order in which they were seen."""

    by_shape: dict[Shape, Cause] = field(default_factory=dict)

    def add(self, case: int, result: Result) -> list[int]:
        """Note the findings of a case; gives the numbers of their causes."""
        earliest = min((_begin(finding) for finding in result.findings), default=0)
        numbers: list[int] = []
        for finding in result.findings:
            shape = _shape(finding)
            cause = self.by_shape.get(shape)
            if cause is None:
                cause = Cause(len(self.by_shape), finding.requirement, finding.level, _short(finding), case)
                self.by_shape[shape] = cause
            if LEVELS.index(finding.level) < LEVELS.index(cause.level):
                cause.level, cause.example, cause.case = finding.level, _short(finding), case
            cause.known = cause.known or bool(finding.known)
            cause.add(case, _begin(finding) == earliest)
            numbers.append(cause.number)
        return sorted(set(numbers))

    def sorted(self) -> list[Cause]:
        """The gravest first; among equals the one with which most cases begin to go wrong."""
        return sorted(self.by_shape.values(), key=lambda one: (LEVELS.index(one.level), -one.first, -one.count))


def _begin(finding: Broken) -> int:
    """The exchange by which a finding can be seen: its last one. A finding without one comes after the others."""
    return max((exchange.n for exchange in finding.exchanges), default=1 << 30)


def _shape(finding: Broken) -> Shape:
    observed = finding.observed.partition(PLACE)[0]
    return finding.requirement, SHAPE.sub("#", finding.expected), SHAPE.sub("#", observed)


def _short(finding: Broken) -> Broken:
    """A finding without its exchanges and with short texts: causes are held in memory, all of them."""
    texts = {"expected": finding.expected[:LONGEST], "observed": finding.observed[:LONGEST]}
    return finding.model_copy(update={**texts, "exchanges": []})
