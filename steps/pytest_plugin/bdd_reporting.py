"""Calls the hooks of pytest-bdd, so that its reporters see each scenario. The verdict belongs to the step that found it."""

from types import SimpleNamespace

import pytest

from rollout_conformance.steps.engine.findings import Verdict
from rollout_conformance.steps.engine.outcome import Outcome
from rollout_conformance.steps.scenario.gherkin import CompiledScenario


class NotConformant(Exception):
    """A case failed; carries its outcome."""


def report_scenario(item: pytest.Item, compiled: CompiledScenario, outcome: Outcome) -> None:
    hook, scenario = item.config.hook, compiled.scenario
    request = SimpleNamespace(node=item, config=item.config)
    common = {"request": request, "feature": compiled.feature, "scenario": scenario}
    hook.pytest_bdd_before_scenario(**common)
    failed = outcome.judgement.verdict in (Verdict.FAIL, Verdict.ERROR)
    lines = {finding.at.line for finding in outcome.judgement.findings if finding.at is not None}
    broken = next((n for n, step in enumerate(scenario.steps) if step.line_number in lines), len(scenario.steps) - 1)
    for n, step in enumerate(scenario.steps):
        context = {**common, "step": step, "step_func": report_scenario}
        hook.pytest_bdd_before_step(**context)
        hook.pytest_bdd_before_step_call(**context, step_func_args={})
        if failed and n == broken:
            hook.pytest_bdd_step_error(**context, step_func_args={}, exception=NotConformant(outcome))
            break
        hook.pytest_bdd_after_step(**context, step_func_args={})
    hook.pytest_bdd_after_scenario(**common)
