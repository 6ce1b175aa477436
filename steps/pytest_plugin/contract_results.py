"""What fuzzing found in this session, by contract, and its part of the summary."""

from collections.abc import Iterable
from pathlib import Path

import pytest

from rollout_conformance.steps.engine.contract_coverage import Coverage, lines
from rollout_conformance.steps.engine.outcome import Outcome
from rollout_conformance.steps.fuzzing.contract import Contract
from rollout_conformance.steps.pytest_plugin.run_options import seed_of
from rollout_conformance.steps.pytest_plugin.workers import Writer
from rollout_conformance.steps.run_setup import Run

LINES = 5  # of what was not exercised, per contract
_results = pytest.StashKey["dict[Path, FuzzResult]"]()


class FuzzResult:
    """What one run over a contract found: an outcome for each operation, and what it exercised."""

    def __init__(
        self, contract: Contract, outcomes: dict[str, Outcome], coverage: Coverage, requests: int, run: Run
    ) -> None:
        self.contract, self.outcomes, self.coverage = contract, outcomes, coverage
        self.requests, self.run, self.shown = requests, run, contract.shown

    def also(self, outcomes: Iterable[Outcome]) -> None:
        """Count what written cases of the same dialect exercised."""
        for outcome in outcomes:
            mine = (outcome.case.profile, outcome.case.dialect) == (self.contract.profile, self.contract.dialect)
            if mine and outcome.trace is not None:
                self.coverage.add(outcome.trace.exchanges)


def by_file(config: pytest.Config) -> dict[Path, FuzzResult]:
    return config.stash.setdefault(_results, {})


def of(config: pytest.Config) -> list[FuzzResult]:
    return list(by_file(config).values())


def summarize(reporter: Writer, config: pytest.Config) -> None:
    """Print what was exercised, at the end of a session that fuzzed."""
    for file, fuzzed in by_file(config).items():
        dialect = fuzzed.run.dialects[0] if fuzzed.run.dialects else "-"
        name = f"{file.parent.name}/{file.name}"  # four contracts have one name
        reporter.section(f"{name} ({dialect}): {fuzzed.requests} generated requests", sep="-")
        for line in lines(fuzzed.coverage, name, LINES):
            reporter.write_line(line)
    if by_file(config):
        seed = seed_of(config)
        shown = "none, derandomized" if seed is None else f"{seed} (--fuzz-seed {seed} repeats it)"
        reporter.write_line(f"seed: {shown}")
