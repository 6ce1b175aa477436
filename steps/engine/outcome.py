"""One case and what came of it."""

from dataclasses import dataclass

from rollout_conformance.steps.engine.cases import Case
from rollout_conformance.steps.engine.findings import Judgement
from rollout_conformance.steps.engine.trace import Trace


@dataclass(frozen=True, slots=True)
class Outcome:
    """An executed, skipped or errored case.

    `seconds` is the time from its slot to its judgement; `rerun` the command that runs it again. `late_s` is by how much the suite itself
    was late meanwhile; `alone` when no other case was in flight at its instance of the target; `repeats` whether a failure showed again when
    the case was played once more with no other beside it, None when that was not tried; `cpu_wait_s` how long the suite or the target waited
    for a CPU at most; `hurried` when a silent target was waited for less long than its card says; `target_ended` when the process of the
    target ended meanwhile."""

    case: Case
    judgement: Judgement
    trace: Trace | None
    seconds: float
    rerun: str
    late_s: float = 0.0
    alone: bool = False
    repeats: bool | None = None
    cpu_wait_s: float = 0.0
    hurried: bool = False
    target_ended: bool = False

    @property
    def slowed_s(self) -> float:
        """By how many seconds the machine may have made slow what was measured here."""
        return max(self.late_s, self.cpu_wait_s)
