"""Freedoms that every training API has are not accused: conforming variants of the reference, each with the cases that concern it."""

import asyncio

import pytest

from rollout_conformance.steps import case_catalog
from rollout_conformance.steps.engine import target_card as cards
from rollout_conformance.steps.engine.findings import Verdict
from rollout_conformance.steps.engine.outcome import Outcome
from rollout_conformance.steps.profiles.training.profile import PROFILE
from rollout_conformance.steps.run_setup import RunOptions, ready

FREEDOMS = {"most_tokens_are_improbable": ("tinker-json", {"TRAINING-039"})}


async def played(name: str) -> list[Outcome]:
    dialect, about = FREEDOMS[name]
    card = cards.load(PROFILE.reference.card, PROFILE.card)
    card = card.model_copy(update={"env": {**card.env, "TRAINING_MUTANT": name}, "dialects": [dialect]})
    target = "app:rollout_server.mutants.training:create_app"
    async with ready(RunOptions(profile="training", target=target, described=card)) as run:
        cases = [case for case in run.applicable(case_catalog.every("training")) if about & set(case.requirements)]
        return await asyncio.gather(*(run.runner.play(case) for case in cases))


@pytest.mark.parametrize("name", FREEDOMS)
def test_a_freedom_is_not_accused(name: str) -> None:
    outcomes = asyncio.run(played(name))
    assert [finding for outcome in outcomes for finding in outcome.judgement.findings] == []
    assert {outcome.judgement.verdict for outcome in outcomes} == {Verdict.PASS}
