"""What a run has found so far: kept as it comes, so that it can be shown whenever the run ends."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from rollout_conformance.steps import report_header
from rollout_conformance.steps.baseline import Baseline
from rollout_conformance.steps.engine import shared_causes
from rollout_conformance.steps.engine.cases import Case
from rollout_conformance.steps.engine.early_end import Reason
from rollout_conformance.steps.engine.outcome import Outcome
from rollout_conformance.steps.engine.report import ReportWriter
from rollout_conformance.steps.profiles import profile_of
from rollout_conformance.steps.report_header import DescribedRun
from rollout_conformance.steps.run_setup import RunOptions


class RunResults:
    """The outcomes of a run and its report. `known` is its baseline.

    `planned` is how many cases there are to be played, once that is known; `not_played` says of which cases it cannot play why."""

    def __init__(
        self,
        run_options: RunOptions,
        report_file: Path | None,
        known: Baseline | None = None,
    ) -> None:
        self.options, self.report_file, self.planned = run_options, report_file, 0
        self.known = known or Baseline(level=run_options.level)
        self.outcomes: list[Outcome] = []
        self.writer: ReportWriter | None = None
        self.complete = False
        self.not_played: list[str] = []
        self.began = time.monotonic()

    @property
    def seconds(self) -> float:
        """How long the run has taken so far."""
        return time.monotonic() - self.began

    def begin(self, run: DescribedRun, cases: Sequence[Case]) -> None:
        self.planned = len(cases)
        if self.report_file is not None:
            self.writer = ReportWriter(
                self.report_file, report_header.of_run(run), run.profile.catalogue, cases
            ).__enter__()

    def add(self, outcome: Outcome) -> None:
        """Keep an outcome. What it says of a cause is known when all have come; it is written then."""
        self.outcomes.append(self.known.marked(outcome))
        if self.writer is not None and outcome.judgement.cause is None:
            self.writer.result(self.known.marked(outcome))

    def _write_causes(self) -> None:
        if self.writer is not None and not self.complete:
            self.complete = True
            for outcome in shared_causes.joined(self.outcomes, profile_of(self.options.profile).ends_by_itself):
                if outcome.judgement.cause is not None:
                    self.writer.result(self.known.marked(outcome))

    def replace(self, old: Outcome, new: Outcome) -> None:
        """What is known of an outcome since, for the conclusion."""
        self.outcomes[next(n for n, known in enumerate(self.outcomes) if known is old)] = new

    def sorted(self) -> list[Outcome]:
        return sorted(self.outcomes, key=lambda outcome: outcome.case.id)

    def close(self, aborted: bool) -> None:
        self._write_causes()
        if self.writer is not None:
            self.writer.close(aborted)

    def end_early(self, reason: Reason, conclude: Callable[[list[Outcome], int], int]) -> int:
        """Close the report as aborted and show what there is; gives the exit code."""
        if self.writer is None and self.report_file is not None:
            self.writer = ReportWriter(self.report_file, report_header.of_options(self.options), {}, ()).__enter__()
        self._write_causes()
        if self.writer is not None:
            self.writer.close(aborted=True, ended_by=reason.text)
        code = conclude(self.sorted(), self.planned)
        return code if reason.code is None else reason.code
