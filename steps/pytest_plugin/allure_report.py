"""Severity, steps and attachments of a case, where allure-pytest is installed and `--alluredir` is given. The suite does not need it."""

from importlib import import_module
from typing import Any

import pytest

from rollout_conformance.contracts.requirements import Requirement
from rollout_conformance.steps.engine.failure_report import collapse, finding_block
from rollout_conformance.steps.engine.findings import Verdict
from rollout_conformance.steps.engine.outcome import Outcome
from rollout_conformance.steps.engine.printable import printable
from rollout_conformance.steps.engine.trace import Exchange
from rollout_conformance.steps.outputs.curl import curl
from rollout_conformance.steps.profiles import profile_of
from rollout_conformance.steps.pytest_plugin.bdd_reporting import Failed, NotConformant, broken_step

SEVERITIES = {"must": "critical", "should": "normal", "may": "minor"}
LONGEST = 20_000  # characters of a body


def is_wanted(config: pytest.Config) -> bool:
    return bool(config.getoption("allure_report_dir", None))


def mark(item: pytest.Item, about: Requirement | None) -> None:
    """The severity is that of the requirement that a failure accuses."""
    if about is not None and is_wanted(item.config):
        item.add_marker(pytest.mark.allure_label(SEVERITIES[about.level], label_type="severity"))


def write(config: pytest.Config, outcome: Outcome) -> None:
    """The steps of a case with the one that failed, and what proves each finding. To be called while the item runs."""
    if not is_wanted(config):
        return
    allure: Any = import_module("allure")
    steps = outcome.case.steps
    failed = outcome.judgement.verdict in (Verdict.FAIL, Verdict.ERROR)
    kind = Failed if outcome.judgement.verdict is Verdict.FAIL else NotConformant
    broken = broken_step([step.at.line for step in steps], outcome) if failed else len(steps)
    for n, step in enumerate(steps[: broken + 1]):
        try:
            with allure.step(printable(step.text)):
                if n == broken:
                    raise kind(outcome)
        except NotConformant:
            break
    _attach(allure, outcome)


def _attach(allure: Any, outcome: Outcome) -> None:
    def text(name: str, body: str) -> None:
        allure.attach(printable(body), name=printable(name), attachment_type=allure.attachment_type.TEXT)

    for group in collapse([outcome], profile_of(outcome.case.profile).catalogue):
        text(group.requirement.id, finding_block(group))
    accused = {n for finding in outcome.judgement.findings for n in finding.exchanges}
    for exchange in outcome.trace.exchanges if outcome.trace else ():
        if exchange.n in accused:
            text(_title(exchange), _exchange(exchange))


def _title(exchange: Exchange) -> str:
    end = str(exchange.response.status) if exchange.response else exchange.fault or "no answer"
    arrow = "->" if exchange.to_target else "<-"
    return f"#{exchange.n} {arrow} {exchange.request.method} {exchange.request.path} => {end}"


def _exchange(exchange: Exchange) -> str:
    got = exchange.response.body if exchange.response else b""
    return f"{curl(exchange, '')}\n\n{_title(exchange)}\n{got[:LONGEST].decode('utf-8', 'backslashreplace')}"
