"""How often each case was played and what came of it; and which failures prove something."""

from array import array
from dataclasses import dataclass, field, replace

from rollout_conformance.steps.engine.cases import Case
from rollout_conformance.steps.engine.findings import Judgement, Verdict
from rollout_conformance.steps.engine.outcome import Outcome
from rollout_conformance.steps.engine.retry_alone import LATE_S, SHARE
from rollout_conformance.steps.soak.latencies import Spread

KEPT = 20  # outcomes of a case that prove nothing yet
FAR_BEYOND = 10  # times as long as nearly all plays of a case took: a wait as long proves that nothing came


@dataclass(slots=True)
class CaseTally:
    """`certain` counts the failures that what crossed the wire proves, and `first` is the first of them; `timed` are failures that only the
    clock shows, `unsure` the first one that proves nothing, `passed` one that passed."""

    plays: int = 0
    seconds: "array[float]" = field(default_factory=lambda: array("d"))
    certain: int = 0
    timed: list[Outcome] = field(default_factory=list)
    first: Outcome | None = None
    unsure: Outcome | None = None
    passed: Outcome | None = None

    def add(self, outcome: Outcome) -> None:
        self.plays += 1
        if outcome.judgement.verdict is Verdict.PASS:
            self.seconds.append(outcome.seconds)
            self.passed = self.passed or replace(outcome, trace=None)
        elif outcome.judgement.verdict is not Verdict.FAIL:
            self.unsure = self.unsure or outcome
        elif _is_certain(outcome):
            self.certain += 1
            self.first = self.first or outcome
        else:
            self._keep(outcome)

    def _keep(self, outcome: Outcome) -> None:
        """The longest waits of those that only the clock shows."""
        self.timed = sorted([*self.timed, outcome], key=lambda one: -one.seconds)[:KEPT]

    def outcome(self) -> Outcome:
        """The one outcome for all plays: a failure that stands, else what could not be judged, else that it passed."""
        waited = next((one for one in self.timed if self._stands(one)), None)
        failed = self.first or waited
        if failed is not None:
            return self._told(failed)
        if self.passed is not None:
            return self.passed
        unsure = self.unsure or self.timed[0]
        return replace(unsure, judgement=_unproven(unsure)) if unsure in self.timed else unsure

    @property
    def failures(self) -> int:
        """How many plays failed in a way that proves something."""
        return self.certain + sum(map(self._stands, self.timed))

    def _stands(self, outcome: Outcome) -> bool:
        """Whether a failure that only the clock shows is one: the suite was in time itself, and the wait was far longer than such plays take."""
        usual = Spread.of(self.seconds)
        late = outcome.slowed_s > max(LATE_S, outcome.seconds) * SHARE
        return not late and usual is not None and outcome.seconds * 1000 > FAR_BEYOND * usual.p99_ms

    def _told(self, outcome: Outcome) -> Outcome:
        usual = Spread.of(self.seconds)
        beside = f"; the plays that passed took at most {usual.longest_ms / 1000:.1f} s" if usual else ""
        told = f" (in {self.failures} of {self.plays} plays{beside})"
        judged = outcome.judgement
        findings = tuple(replace(one, observed=one.observed + told) for one in judged.findings)
        return replace(outcome, judgement=replace(judged, findings=findings))


def _is_certain(outcome: Outcome) -> bool:
    """Whether a failure is proved by what crossed the wire. That other cases were in flight excuses nothing here: it is what a soak is."""
    cause = outcome.judgement.cause
    timed = any(finding.timing for finding in outcome.judgement.findings)
    return not timed and outcome.late_s <= LATE_S and (cause is None or not cause.again)


def _unproven(outcome: Outcome) -> Judgement:
    reason = f"{outcome.judgement.findings[0].observed}: not far longer than other plays took, or the suite was late"
    return Judgement(Verdict.INCONCLUSIVE, {}, (), reason)


@dataclass(slots=True)
class Tally:
    """All cases of a soak, by their id."""

    cases: dict[str, CaseTally] = field(default_factory=dict)

    def add(self, outcome: Outcome) -> None:
        self.cases.setdefault(outcome.case.id, CaseTally()).add(outcome)

    def without_comparison(self) -> list[Case]:
        """The cases of which a wait in vain cannot be compared, because no play passed."""
        return [case.timed[0].case for case in self.cases.values() if case.timed and not case.seconds]

    def outcomes(self) -> list[Outcome]:
        return [case.outcome() for case in self.cases.values()]

    @property
    def plays(self) -> int:
        return sum(case.plays for case in self.cases.values())

    @property
    def failures(self) -> int:
        return sum(case.failures for case in self.cases.values())
