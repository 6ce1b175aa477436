"""Two items beside the operations of a contract: walks over the lifecycle of its dialect, and pairs of faults."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from _pytest._code.code import TerminalRepr, TracebackStyle

from rollout_conformance.steps.engine.findings import SuiteError
from rollout_conformance.steps.pytest_plugin import options
from rollout_conformance.steps.pytest_plugin.run_options import run_options_of, seed_of
from rollout_conformance.steps.pytest_plugin.session import SuiteItem

WALKS, NIGHTLY_WALKS = 60, 1000


class Found(Exception):
    """An order of events broke a requirement; carries what explored it, and the folder for the scenario."""


class ExplorationItem(SuiteItem):
    """Walks over the lifecycle of a dialect, or, with `pairs`, every pair of faults."""

    def __init__(self, *, profile: str, dialect: str, pairs: bool, **kw: Any) -> None:
        super().__init__(**kw)
        self.profile, self.dialect, self.pairs = profile, dialect, pairs
        for mark in ("nightly", dialect):  # run always, and with other seeds every night
            self.add_marker(mark)

    def runtest(self) -> None:
        from rollout_conformance.steps.exploration.explore import explore, explore_fault_pairs

        run_options = replace(run_options_of(self.config, self.profile), dialect=self.dialect)
        given, seed = options.of(self.config), seed_of(self.config)
        if self.pairs:
            explored = explore_fault_pairs(run_options, self.dialect, 1 if seed is None else seed)
        else:
            walks = given.walks or (WALKS if seed is None else NIGHTLY_WALKS)
            explored = explore(run_options, self.dialect, walks, seed)
        if explored.outcome is not None:
            raise Found(explored, given.save_scenario)
        if explored.unjudged:
            pytest.skip(explored.unjudged)
        if explored.flaky:
            pytest.xfail("inconclusive: a walk failed once, and not when it was played again")

    def repr_failure(
        self, excinfo: pytest.ExceptionInfo[BaseException], style: TracebackStyle | None = None
    ) -> str | TerminalRepr:
        if isinstance(excinfo.value, SuiteError):
            return f"COULD NOT JUDGE  {self.name}\n  {excinfo.value}"
        if not isinstance(excinfo.value, Found):
            return super().repr_failure(excinfo, style)
        from rollout_conformance.steps.exploration.finding_text import finding_text

        return finding_text(*excinfo.value.args)

    def reportinfo(self) -> tuple[Path, int, str]:
        return self.path, 0, self.name
