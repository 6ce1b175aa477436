"""Calls the hooks of pytest-bdd, so that its reporters see each scenario. The verdict belongs to the step that found it."""

from collections.abc import Sequence
from types import SimpleNamespace

import pytest

from rollout_conformance.steps.engine.findings import Verdict
from rollout_conformance.steps.engine.outcome import Outcome
from rollout_conformance.steps.engine.printable import printable
from rollout_conformance.steps.scenario.gherkin import CompiledScenario


class NotConformant(Exception):
    """A case could not be judged; carries its outcome."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome)
        self.outcome = outcome

    def __str__(self) -> str:
        judgement = self.outcome.judgement
        found = dict.fromkeys(
            f"{one.requirement}: expected {one.expected}, observed {one.observed}" for one in judgement.findings
        )
        return printable("; ".join(found) or judgement.reason)


class Failed(NotConformant, AssertionError):
    """A case failed: to others that is a failed assertion, not a broken test."""


def broken_step(lines: Sequence[int], outcome: Outcome) -> int:
    """The number of the step, by the lines of all, at which a case failed: the last one where no finding names one."""
    accused = {finding.at.line for finding in outcome.judgement.findings if finding.at is not None}
    return next((n for n, line in enumerate(lines) if line in accused), len(lines) - 1)


def report_scenario(item: pytest.Item, compiled: CompiledScenario, outcome: Outcome) -> None:
    hook, scenario = item.config.hook, compiled.scenario
    request = SimpleNamespace(node=item, config=item.config)
    common = {"request": request, "feature": compiled.feature, "scenario": scenario}
    hook.pytest_bdd_before_scenario(**common)
    failed = outcome.judgement.verdict in (Verdict.FAIL, Verdict.ERROR)
    broken = broken_step([step.line_number for step in scenario.steps], outcome)
    for n, step in enumerate(scenario.steps):
        context = {**common, "step": step, "step_func": report_scenario}
        hook.pytest_bdd_before_step(**context)
        hook.pytest_bdd_before_step_call(**context, step_func_args={})
        if failed and n == broken:
            hook.pytest_bdd_step_error(**context, step_func_args={}, exception=NotConformant(outcome))
            break
        hook.pytest_bdd_after_step(**context, step_func_args={})
    hook.pytest_bdd_after_scenario(**common)
