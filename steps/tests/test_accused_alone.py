"""Servers with one defect in how they repeat: what they break is accused, and not what the case happens to be about as well."""

import asyncio

from rollout_conformance.steps.engine.shared_causes import joined
from rollout_conformance.steps.profiles.rollout.profile import PROFILE
from rollout_conformance.steps.tests.test_right_variants import Freedom, numbered, played


def test_a_call_that_is_not_asked_again_is_accused_as_that_and_not_as_an_end_without_reason() -> None:
    outcomes = asyncio.run(played("never_retries", Freedom(("callback",), numbered(84, 87, 88, 111))))
    judged = [outcome.judgement for outcome in joined(outcomes, PROFILE.ends_by_itself)]
    assert {finding.requirement for judgement in judged for finding in judgement.findings} == {"ROLLOUT-084"}
    caused = [outcome for outcome in outcomes if outcome.judgement.cause is not None]
    assert len({outcome.case.requirements[0] for outcome in caused}) >= 3


def test_a_completion_that_is_not_sent_again_is_accused_as_that_alone() -> None:
    outcomes = asyncio.run(played("posts_once", Freedom(("callback",), numbered(137, 139, 145))))
    found = {finding.requirement for outcome in outcomes for finding in outcome.judgement.findings}
    assert found == {"ROLLOUT-139"}
