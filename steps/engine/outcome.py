"""One case and what came of it."""

from dataclasses import dataclass

from steps.engine.cases import Case
from steps.engine.findings import Judgement
from steps.engine.trace import Trace


@dataclass(frozen=True, slots=True)
class Outcome:
    """An executed, skipped or errored case. `seconds` is wall time; `rerun` the command that runs it again."""

    case: Case
    judgement: Judgement
    trace: Trace | None
    seconds: float
    rerun: str
