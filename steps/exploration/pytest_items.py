"""The pytest face of exploration: two items beside the operations of a contract, the walks and the pairs of faults."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from rollout_conformance.steps.engine.failure_report import collapse, finding_block
from rollout_conformance.steps.engine.findings import SuiteError
from rollout_conformance.steps.profiles import profile_of
from rollout_conformance.steps.pytest_options import run_options_of, seed_of

WALKS, NIGHTLY_WALKS = 60, 1000


class Found(Exception):
    """An order of events broke something; carries what explored it, and where the scenario was saved."""


class ExplorationItem(pytest.Item):
    """Walks over the lifecycle of a dialect, or, with `pairs`, every pair of faults."""

    def __init__(self, *, profile: str, dialect: str, pairs: bool, **kw: Any) -> None:
        super().__init__(**kw)
        self.profile, self.dialect, self.pairs = profile, dialect, pairs
        for mark in ("nightly", dialect):  # found in every run, and tried with other seeds every night
            self.add_marker(mark)

    def runtest(self) -> None:
        from rollout_conformance.steps.exploration.explore import explore, explore_fault_pairs

        run_options = replace(run_options_of(self.config, self.profile), dialect=self.dialect)
        seed = seed_of(self.config)
        if self.pairs:
            explored = explore_fault_pairs(run_options, self.dialect, 1 if seed is None else seed)
        else:
            walks = self.config.option.walks or (WALKS if seed is None else NIGHTLY_WALKS)
            explored = explore(run_options, self.dialect, walks, seed)
        if explored.outcome is not None:
            raise Found(explored, self.config.option.save_scenario)
        if explored.unjudged:
            pytest.skip(explored.unjudged)
        if explored.flaky:
            pytest.xfail("inconclusive: a walk failed once, and not when it was played again")

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        if isinstance(excinfo.value, SuiteError):
            return f"COULD NOT JUDGE  {self.name}\n  {excinfo.value}"
        return told(*excinfo.value.args) if isinstance(excinfo.value, Found) else super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int, str]:
        return self.path, 0, self.name


def told(explored: Any, folder: Path | None) -> str:
    """The finding, and the scenario that shows it again."""
    from rollout_conformance.steps.exploration.explore import save, text_of

    groups = collapse([explored.outcome], profile_of(explored.profile).catalogue)
    blocks = [finding_block(group) for group in groups]
    kept = save(explored, folder) if folder is not None else None
    hint = f"saved as {kept}" if kept else "--save-scenario DIR keeps it as a file"
    return "\n\n".join([*blocks, f"As a scenario ({hint}):\n\n{text_of(explored.document)}"])
