"""A trainer whose generation requests have their tools themselves (`tools_in: request`): one that drops them is found."""

import pytest

from rollout_conformance.steps.engine.findings import Verdict
from rollout_conformance.steps.tests.trainer_runs import card, found, played

ABOUT_TOOLS = {"TRAINER-183", "TRAINER-190", "TRAINER-200"}


@pytest.mark.parametrize(
    ("dialect", "mutant", "broken"),
    [
        ("sync", "", set()),
        ("callback", "", set()),
        ("sync", "drops_tools_of_requests", {"TRAINER-183"}),
        ("callback", "drops_tools_of_requests", {"TRAINER-197"}),
    ],
)
def test_dropped_tools_of_requests_are_found(dialect: str, mutant: str, broken: set[str]) -> None:
    env = {"TRAINER_DIALECTS": f'["{dialect}"]'}
    described = card("open", env, dialects=[dialect], tools_in="request", capabilities=["record", "tool_calls"])
    outcomes = played(described, lambda case: case.requirements[0] in ABOUT_TOOLS, mutant)
    assert found(outcomes) == broken
    assert any(outcome.judgement.verdict == Verdict.PASS for outcome in outcomes)
