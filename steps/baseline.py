"""A baseline: known failures, each with its reason. What is listed is played all the same, and stays in the counts.

An entry excuses findings of one requirement in the cases that it names. One that is expired excuses nothing; one with `flaky` excuses a
failure that did not show each time its case was played.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime

from pydantic import BaseModel, ConfigDict, Field

from rollout_conformance.steps.engine.cases import Case
from rollout_conformance.steps.engine.findings import BROKEN, Finding, Location, Verdict, counts
from rollout_conformance.steps.engine.name_pattern import matches
from rollout_conformance.steps.engine.outcome import Outcome
from rollout_conformance.steps.profiles import profile_of

MOST_PLAYS = 20  # of a case that is listed as flaky: more would take too long


class Entry(BaseModel):
    """Known failures of one requirement.

    `case` or `cases` are names or ids of cases (`*` stands for any text; without either, every case), `until` is the last day on which the
    entry counts, `flaky` how often a case that failed is played again, of which it must pass once.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    requirement: str
    reason: str = Field(min_length=1)
    case: str | None = None
    cases: tuple[str, ...] = ()
    until: date | None = None
    flaky: int | None = Field(None, ge=1, le=MOST_PLAYS)

    @property
    def patterns(self) -> tuple[str, ...]:
        return self.cases or (self.case or "*",)


@dataclass(frozen=True, slots=True)
class Known:
    """One pattern of an entry, and where it stands in the file (None: in none)."""

    entry: Entry
    pattern: str
    at: Location | None = None

    @property
    def requirement(self) -> str:
        return self.entry.requirement

    def names(self, case: Case) -> bool:
        return matches(self.pattern, (case.name, case.id))

    def __str__(self) -> str:
        cases = "any case" if self.pattern == "*" else f'"{self.pattern}"'
        return f"{self.requirement} in {cases}"


class Baseline:
    """Known failures, and which of them were met. `level` is the weakest level that fails a case."""

    def __init__(self, entries: Iterable[Entry | Known] = (), level: str = "must", today: date | None = None) -> None:
        self.known = [one for entry in entries for one in _rows(entry)]
        self.level = level
        self.today = today or datetime.now(UTC).date()
        self.met: set[Known] = set()

    def marked(self, outcome: Outcome) -> Outcome:
        """The outcome with the reason at each finding that is known. It is known as a whole when no other finding fails it."""
        if not outcome.judgement.findings or not self.known:
            return outcome
        findings = tuple(self._noted(outcome, finding) for finding in outcome.judgement.findings)
        judgement = replace(outcome.judgement, findings=findings)
        if judgement.verdict is Verdict.FAIL:
            levels = profile_of(outcome.case.profile).levels
            counted = [finding for finding in findings if counts(finding.level(levels), self.level)]
            excused = bool(counted) and all(finding.known for finding in counted)
            reasons = "; ".join(dict.fromkeys(finding.known for finding in counted)) if excused else ""
            judgement = replace(judgement, known=reasons, flaky=excused and outcome.repeats is False)
        return replace(outcome, judgement=judgement)

    def _noted(self, outcome: Outcome, finding: Finding) -> Finding:
        one = self._excuse(outcome, finding.requirement)
        if one is None:
            return replace(finding, known="") if finding.known else finding
        self.met.add(one)
        return replace(finding, known=one.entry.reason)

    def _excuse(self, outcome: Outcome, requirement: str) -> Known | None:
        listed = [one for one in self.known if one.requirement == requirement and one.names(outcome.case)]
        for one in listed:
            if not self.expired(one) and (one.entry.flaky is None or outcome.repeats is False):
                return one
        return None

    def expired(self, one: Known) -> bool:
        return one.entry.until is not None and one.entry.until < self.today

    def plays(self, outcome: Outcome) -> int:
        """How often the case of an outcome is to be played again, because what it broke is listed as flaky."""
        return max((one.entry.flaky or 0 for one in self._flaky(outcome)), default=0)

    def shows_again(self, first: Outcome, again: Outcome) -> bool:
        """Whether what is listed as flaky and was broken first is broken again."""
        listed = {one.requirement for one in self._flaky(first)}
        return any(again.judgement.requirements.get(name) in BROKEN for name in listed)

    def _flaky(self, outcome: Outcome) -> Iterator[Known]:
        broken = {finding.requirement for finding in outcome.judgement.findings}
        for one in self.known:
            if one.entry.flaky and one.requirement in broken and one.names(outcome.case) and not self.expired(one):
                yield one


def _rows(entry: Entry | Known) -> Iterator[Known]:
    if isinstance(entry, Known):
        yield entry
    else:
        yield from (Known(entry, pattern) for pattern in entry.patterns)
