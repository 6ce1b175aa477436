"""A rollout that failed and is reported as completed: one requirement, whatever the cases are about."""

import asyncio

from rollout_conformance.steps.engine.shared_causes import joined
from rollout_conformance.steps.profiles.rollout.profile import PROFILE
from rollout_conformance.steps.tests.test_right_variants import Freedom, numbered, played


def test_a_failure_that_is_reported_as_a_result_is_accused_once() -> None:
    outcomes = asyncio.run(played("shrugs", Freedom(("callback",), numbered(88, 90, 119, 123))))
    caused = [
        outcome
        for outcome in joined(outcomes, PROFILE.ends_by_itself)
        if outcome.judgement.cause is not None and outcome.judgement.cause.common is not None
    ]
    assert len({outcome.case.requirements[0] for outcome in caused}) >= 3
    assert {finding.requirement for outcome in caused for finding in outcome.judgement.findings} == {"ROLLOUT-119"}


def test_a_reference_that_reports_failures_has_no_such_cause() -> None:
    outcomes = asyncio.run(played("python_words", Freedom(("callback",), numbered(88, 119))))
    assert outcomes
    assert all(outcome.judgement.cause is None for outcome in outcomes)
