"""What is broken and fails nothing is a warning, also of an operation of a contract; what is known is none."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from rollout_conformance.steps.engine.cases import Case
from rollout_conformance.steps.engine.findings import Finding, Judgement, Location, Verdict
from rollout_conformance.steps.engine.outcome import Outcome
from rollout_conformance.steps.pytest_plugin import contract_results
from rollout_conformance.steps.pytest_plugin.contract_items import OperationItem
from rollout_conformance.steps.pytest_plugin.requirement_warnings import RequirementWarning, warn

MUST, SHOULD, FILE = "ROLLOUT-094", "ROLLOUT-103", Path("openapi.yaml")


def outcome(*findings: Finding) -> Outcome:
    case = Case("a", "rollout", "sync", (SHOULD,), (), Location("x.yaml", 7))
    return Outcome(case, Judgement(Verdict.PASS, {SHOULD: Verdict.FAIL}, findings), None, 0.1, "")


def warned(one: Outcome) -> list[str]:
    seen: list[Warning] = []
    warn(cast(pytest.Item, SimpleNamespace(warn=seen.append)), one)
    return [str(warning) for warning in seen]


def test_a_warning_has_the_requirement_what_was_expected_and_how_to_fail() -> None:
    (text,) = warned(outcome(Finding(SHOULD, "Error: x", "x\x1b")))
    assert text.splitlines()[0].startswith(f"WARN  {SHOULD} SHOULD  The `content` of a tool message")
    assert [line.strip() for line in text.splitlines()[1:]] == [
        "expected Error: x",
        "observed x\\x1b",
        "case     x.yaml:7",
        "It fails with --level should.",
    ]


def test_a_must_in_a_case_about_a_should_says_why_it_is_a_warning() -> None:
    (text,) = warned(outcome(Finding(MUST, "202", "500", cap="should")))
    assert f"note     a MUST, seen broken in a case about a SHOULD ({SHOULD})." in text


def test_what_is_known_is_no_warning() -> None:
    assert warned(outcome(Finding(SHOULD, "202", "500", known="planned"))) == []


def test_an_operation_of_a_contract_warns_as_well() -> None:
    config: Any = SimpleNamespace(stash=pytest.Stash())
    found: Any = SimpleNamespace(outcomes={"GET /x": outcome(Finding(SHOULD, "202", "500"))})
    contract_results.by_file(config)[FILE] = found
    seen: list[Warning] = []
    item = SimpleNamespace(config=config, path=FILE, name="GET /x", contract=None, warn=seen.append)
    OperationItem.runtest(cast(OperationItem, item))
    assert [type(one) for one in seen] == [RequirementWarning]
