"""Whether an outcome proves what it says, or has to be obtained again with the target to itself.

What was measured while the suite was late, or while its other cases kept the target busy, proves nothing of a deadline. Such a case is
played again, alone; the last play counts. A breach that was confirmed so is not doubted any more, however many cases show it.
"""

from collections import Counter
from dataclasses import dataclass, field, replace

from steps.engine.findings import Judgement, Verdict
from steps.engine.lateness import LATE_S
from steps.engine.outcome import Outcome

PLAYS = 3  # of one case, after the first
MOST = 60  # plays again in a run: beyond that the machine is no place to measure
ENOUGH = 2  # confirmations of a requirement


@dataclass(slots=True)
class Doubts:
    """What was confirmed in a run, and how often something was played again."""

    confirmed: Counter[str] = field(default_factory=Counter)
    again: int = 0

    def about(self, outcome: Outcome) -> str | None:
        """Why the outcome has to be obtained again; None when it stands."""
        judgement = outcome.judgement
        if judgement.cause is not None and judgement.cause.alone:
            return None if outcome.alone else judgement.cause.reason
        if judgement.verdict is not Verdict.FAIL or self._known(judgement):
            return None
        if outcome.late_s > LATE_S:
            return f"the suite was late itself, by {outcome.late_s:.1f} s"
        if not outcome.alone and all(finding.timing for finding in judgement.findings):
            return "it is about time, and other cases kept the target busy"
        self._confirm(outcome)
        return None

    def _known(self, judgement: Judgement) -> bool:
        return all(self.confirmed[finding.requirement] >= ENOUGH for finding in judgement.findings)

    def _confirm(self, outcome: Outcome) -> None:
        if outcome.alone or not any(finding.timing for finding in outcome.judgement.findings):
            self.confirmed.update({finding.requirement for finding in outcome.judgement.findings})

    def may_ask_again(self) -> bool:
        self.again += 1
        return self.again <= MOST


def unproved(outcome: Outcome, why: str) -> Outcome:
    """The outcome of a case that could not be played without that doubt: nothing is said of the target."""
    reason = f"could not be measured: {why}"
    return replace(outcome, judgement=Judgement(Verdict.INCONCLUSIVE, {}, (), reason))
