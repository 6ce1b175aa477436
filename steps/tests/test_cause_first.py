"""One defect is one requirement: broken copies of the reference server, and everything that may be found of each."""

import asyncio

import pytest

from rollout_conformance.steps import case_catalog
from rollout_conformance.steps.engine import shared_causes
from rollout_conformance.steps.engine import target_card as cards
from rollout_conformance.steps.profiles.rollout.profile import PROFILE
from rollout_conformance.steps.run_setup import RunOptions, ready

# The name of a mutant, its dialect, the requirements whose cases are played, and what is to be found.
DEFECTS = [
    ("http_500", "sync", (88, 90, 119, 123), {"ROLLOUT-125"}),
    ("never_retries", "callback", (84, 85, 87), {"ROLLOUT-084"}),
    ("tail_only", "sync", (93, 94, 104), {"ROLLOUT-047", "ROLLOUT-048", "ROLLOUT-231"}),
    ("posts_twice", "callback", (136, 148, 151, 152, 154), {"ROLLOUT-140"}),
]


async def found(name: str, dialect: str, about: set[str]) -> set[str]:
    card = cards.load(PROFILE.reference.card, PROFILE.card)
    change = {"env": {**card.env, "ROLLOUT_MUTANT": name}, "dialects": [dialect]}
    target = "app:rollout_server.mutants:create_app"
    async with ready(RunOptions(target=target, described=card.model_copy(update=change))) as run:
        cases = [case for case in run.applicable(case_catalog.every("rollout")) if case.requirements[0] in about]
        outcomes = await asyncio.gather(*(run.runner.play(case) for case in cases))
    levels = {id: entry.level for id, entry in PROFILE.catalogue.items()}
    findings = [f for o in shared_causes.joined(outcomes, PROFILE.ends_by_itself) for f in o.judgement.findings]
    return {f.requirement for f in findings if f.level(levels) == "must"}


@pytest.mark.parametrize(("name", "dialect", "about", "expected"), DEFECTS, ids=[name for name, *_ in DEFECTS])
def test_a_defect_accuses_its_own_requirement(
    name: str, dialect: str, about: tuple[int, ...], expected: set[str]
) -> None:
    assert asyncio.run(found(name, dialect, {f"ROLLOUT-{n:03}" for n in about})) == expected
