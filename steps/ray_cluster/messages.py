"""What goes between the driver of a run and the workers of a Ray cluster. Cases are read on both sides, and named by their id."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from rollout_conformance.steps.baseline import Baseline
from rollout_conformance.steps.engine.cases import Case
from rollout_conformance.steps.engine.findings import Judgement
from rollout_conformance.steps.engine.outcome import Outcome
from rollout_conformance.steps.engine.trace import Event, Exchange, Trace
from rollout_conformance.steps.run_setup import RunOptions
from rollout_conformance.steps.sharding import Shard


@dataclass(frozen=True, slots=True)
class ShardRequest:
    """A part of a run for one worker.

    `files` and `patterns` choose the cases, as on the command line; `exclusive` says whether those that want the target for themselves are
    among them, and `without` are ids of cases that have an outcome. `environment` is what the engine of a live run is configured with.
    """

    options: RunOptions
    files: tuple[Path, ...]
    patterns: tuple[str, ...]
    part: Shard
    exclusive: str
    known: Baseline
    environment: Mapping[str, str] = field(default_factory=dict)
    without: frozenset[str] = frozenset()
    remote_target: bool = False
    folder: Path = field(default_factory=Path.cwd)  # where the run was started: cases of a user are named from there

    def __str__(self) -> str:
        return f"shard {self.part.number}/{self.part.count}"


@dataclass(frozen=True, slots=True)
class ShardBegun:
    """A worker is ready: what it greeted, and the ids of the cases that it will play."""

    node: str
    target: str
    dialects: tuple[str, ...]
    tokenizer_hash: str
    model: str | None
    remarks: tuple[str, ...]
    planned: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PlayedCase:
    """An outcome without its case."""

    case_id: str
    judgement: Judgement
    exchanges: tuple[Exchange, ...]
    behind: tuple[Exchange, ...]
    events: tuple[Event, ...]
    seconds: float
    late_s: float
    alone: bool
    repeats: bool | None
    cpu_wait_s: float

    @classmethod
    def of(cls, outcome: Outcome) -> "PlayedCase":
        trace = outcome.trace or Trace()
        return cls(
            outcome.case.id,
            outcome.judgement,
            tuple(trace.exchanges),
            tuple(trace.behind),
            tuple(trace.events),
            outcome.seconds,
            outcome.late_s,
            outcome.alone,
            outcome.repeats,
            outcome.cpu_wait_s,
        )

    def outcome(self, case: Case, rerun: str) -> Outcome:
        """The outcome of this case, as the driver knows it."""
        trace = Trace(exchanges=list(self.exchanges), behind=list(self.behind), events=list(self.events))
        measured = (self.late_s, self.alone, self.repeats, self.cpu_wait_s)
        return Outcome(case, self.judgement, trace, self.seconds, rerun, *measured)


Message = ShardBegun | PlayedCase
