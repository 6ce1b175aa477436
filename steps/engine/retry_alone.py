"""Whether an outcome proves what it says, or has to be obtained again with the target to itself.

What was measured while the suite was late, or while its other cases kept the target busy, proves nothing of a deadline. Such a case is
played again, alone; the last play counts. What was confirmed so is not retried any more, however many cases show it.
"""

from collections import Counter
from dataclasses import dataclass, field, replace

from rollout_conformance.steps.engine.findings import Finding, Judgement, Verdict
from rollout_conformance.steps.engine.outcome import Outcome
from rollout_conformance.steps.engine.shared_causes import shape

RETRIES = 3  # of one case, after the first
MOST_RETRIES = 40  # in a run: beyond that the machine is no place to measure
CONFIRMATIONS = 2  # confirmations of a breach
LATE_S = 1.0  # of the suite: no deadline that servers have by themselves is missed by less
SHARE = 0.25  # of a declared limit, or of what was measured


@dataclass(slots=True)
class RetryPolicy:
    """What was confirmed in a run, and how often something was played again."""

    confirmed: Counter[str] = field(default_factory=Counter)
    silences: set[str] = field(default_factory=set)
    retries: int = 0

    @property
    def silent(self) -> bool:
        """Whether it was confirmed that the target does not do what it is waited for: the next wait need not be as long."""
        return any(self.confirmed[breach] >= CONFIRMATIONS for breach in self.silences)

    def reason_to_retry(self, outcome: Outcome, limit_s: float | None = None) -> str | None:
        """Why the outcome has to be obtained again; None when it stands. `limit_s` is the shortest limit that the target declares."""
        judgement = outcome.judgement
        if judgement.cause is not None and judgement.cause.again:
            return judgement.cause.reason
        if outcome.target_ended and not outcome.alone:
            return "the process of the target ended while other cases were in flight"
        if self._may_decide_alone(outcome):
            return f"it decided nothing, and the suite or the target was late itself, by {outcome.slowed_s:.1f} s"
        new = [finding for finding in judgement.findings if self.confirmed[_breach(judgement, finding)] < CONFIRMATIONS]
        ended_by_itself = bool(new) and judgement.cause is not None and judgement.cause.beside
        if ended_by_itself and not outcome.alone:
            return "it failed while other cases were in flight"
        if ended_by_itself and limit_s is not None and outcome.cpu_wait_s > limit_s * SHARE:
            return f"it failed while the target waited {outcome.cpu_wait_s:.1f} s for a CPU, with a limit of {limit_s:g} s of its own"
        if judgement.verdict is not Verdict.FAIL or not new:
            return None
        waited = any(finding.timing for finding in new)
        timed = waited or (judgement.cause is not None and judgement.cause.starved)
        if waited and outcome.hurried:
            return "it is about time, and the target was waited for less long than its card says"
        if timed and not outcome.alone:
            return "it is about time, and other cases kept the target busy"
        if outcome.late_s > (max(LATE_S, outcome.seconds) * SHARE if timed else (limit_s or LATE_S / SHARE) * SHARE):
            return f"the suite was late itself, by {outcome.late_s:.1f} s"
        if timed and outcome.cpu_wait_s > max(LATE_S, outcome.seconds) * SHARE:
            return f"it is about time, and the target or the suite waited {outcome.cpu_wait_s:.1f} s for a CPU"
        self.confirmed.update({_breach(judgement, finding) for finding in judgement.findings})
        self.silences |= {_breach(judgement, finding) for finding in judgement.findings if finding.timing}
        return None

    def _may_decide_alone(self, outcome: Outcome) -> bool:
        """Whether nothing was decided, perhaps because the machine was busy: a case with an instance of its own has the others beside it all
        the same. Half of the retries are kept for what failed."""
        judgement = outcome.judgement
        undecided = judgement.verdict is Verdict.INCONCLUSIVE and judgement.cause is None
        return undecided and outcome.slowed_s > LATE_S * SHARE and self.retries < MOST_RETRIES // 2

    def may_retry(self) -> bool:
        self.retries += 1
        return self.retries <= MOST_RETRIES


def _breach(judgement: Judgement, finding: Finding) -> str:
    """What a confirmation is of: the cause, for the finding that it is, else the requirement that is broken."""
    cause = judgement.cause
    caused = cause.finding if cause is not None else None
    if cause is not None and not cause.certain and caused is not None and finding.requirement == caused.requirement:
        return shape(cause.reason)
    return finding.requirement


def unproven(outcome: Outcome, why: str) -> Outcome:
    """The outcome of a case that could not be played in a way that proves it: nothing is said of the target."""
    reason = f"could not be measured: {why}"
    return replace(outcome, judgement=Judgement(Verdict.INCONCLUSIVE, {}, (), reason))
