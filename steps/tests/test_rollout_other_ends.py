"""A generation call that the trainer failed, and that was not asked again: one requirement, whatever the cases are about."""

import asyncio

from rollout_conformance.steps.engine.shared_causes import joined
from rollout_conformance.steps.profiles.rollout.profile import PROFILE
from rollout_conformance.steps.tests.test_right_variants import Freedom, numbered, played


def test_a_call_that_is_not_asked_again_is_accused_as_that_and_not_as_an_end_without_reason() -> None:
    outcomes = asyncio.run(played("never_retries", Freedom(("callback",), numbered(84, 87, 111))))
    caused = [o for o in joined(outcomes, PROFILE.ends_by_itself) if o.judgement.cause is not None]
    assert len({outcome.case.requirements[0] for outcome in caused}) >= 3
    found = {(f.requirement, f.expected) for outcome in caused for f in outcome.judgement.findings}
    assert {requirement for requirement, _ in found} == {"ROLLOUT-084"}
    assert all(said.startswith("the generation call that failed (") for _, said in found)
