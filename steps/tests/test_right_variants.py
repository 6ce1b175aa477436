"""Freedoms that every server has are not accused: right variants of the reference server, each with the cases that concern it."""

import asyncio
from dataclasses import dataclass

import pytest

from rollout_conformance.steps import case_catalog
from rollout_conformance.steps.engine import target_card as cards
from rollout_conformance.steps.engine.findings import Verdict
from rollout_conformance.steps.engine.outcome import Outcome
from rollout_conformance.steps.profiles.rollout.profile import PROFILE
from rollout_conformance.steps.run_setup import RunOptions, ready

ONLY_ROUTED = ("routed",)
BOTH = ("sync", "callback")
CONTROL = tuple(f"ROLLOUT-{n}" for n in range(216, 228))


@dataclass(frozen=True, slots=True)
class Freedom:
    """`about` names the requirements whose cases are played; `found` is everything that may be found, as (requirement, level).

    `undecided` is the number of cases whose occasion the freedom takes away."""

    dialects: tuple[str, ...]
    about: tuple[str, ...]
    found: frozenset[tuple[str, str]] = frozenset()
    undecided: int = 0


def numbered(*numbers: int) -> tuple[str, ...]:
    return tuple(f"ROLLOUT-{n:03}" for n in numbers)


def should(number: int) -> frozenset[tuple[str, str]]:
    return frozenset({(f"ROLLOUT-{number:03}", "should")})


FREEDOMS = {
    "python_words": Freedom(BOTH, numbered(97, 100)),
    "keeps_any_role": Freedom((*BOTH, "routed"), numbered(77), should(77)),
    "follows_without_key": Freedom((*BOTH, "routed"), numbered(67)),
    "null_defaults": Freedom(("callback",), numbered(10, 11)),
    "any_id": Freedom(BOTH, numbered(18, 19, 20, 21), should(19)),
    "repeats_conflicts": Freedom(("callback",), numbered(83, 119)),
    "failures_unmeasured": Freedom(BOTH, numbered(130), should(130)),
    "query_kept": Freedom(("callback",), numbered(26), should(26)),
    "knows_nothing": Freedom(ONLY_ROUTED, (*CONTROL, "ROLLOUT-164", "ROLLOUT-213")),
    "time_in_digits": Freedom(ONLY_ROUTED, numbered(229)),
    "unlabelled_ungraded": Freedom(ONLY_ROUTED, numbered(215, 217), undecided=1),
    "no_grader": Freedom(ONLY_ROUTED, numbered(30, 31, 50, 79, 95, 104, 112, 117, 132, 202), undecided=7),
    "says_ungraded": Freedom(ONLY_ROUTED, numbered(137, 147)),
    "only_strings": Freedom((*BOTH, "routed"), numbered(71, 93), undecided=3),
    "answers_unrun": Freedom(BOTH, numbered(80, 109, 110, 114, 115, 116)),
    "acknowledged_by_status": Freedom(("callback", "routed"), numbered(137)),
    "grades_all_the_same": Freedom(ONLY_ROUTED, numbered(137, 139, 145, 147)),
    "watches_for_drift": Freedom(("sync",), numbered(54, 55, 58), undecided=2),
    "rejects_slowly": Freedom(("sync",), numbered(28, 31, 32, 42)),
    "reminds": Freedom((*BOTH, *ONLY_ROUTED, "leased"), numbered(47, 48, 49, 93, 94, 95, 104, 117, 290)),
    "retries_once": Freedom(("callback", *ONLY_ROUTED, "leased"), numbered(84, 86, 87), undecided=3),
    "retries_twice": Freedom(("callback", *ONLY_ROUTED, "leased"), numbered(84, 86, 87)),
    "other_category": Freedom(ONLY_ROUTED, numbered(83, 88, 90, 119, 124)),
}


async def played(name: str, freedom: Freedom) -> list[Outcome]:
    card = cards.load(PROFILE.reference.card, PROFILE.card)
    known = [capability for capability in card.capabilities if capability not in ("status", "cancel")]
    change = {"env": {**card.env, "ROLLOUT_MUTANT": name}, "dialects": list(freedom.dialects), "capabilities": known}
    target = "app:rollout_server.mutants:create_app"
    async with ready(RunOptions(target=target, described=card.model_copy(update=change))) as run:
        about = set(freedom.about)
        cases = [case for case in run.applicable(case_catalog.every("rollout")) if about & set(case.requirements)]
        return await asyncio.gather(*(run.runner.play(case) for case in cases))


@pytest.mark.parametrize(("name", "freedom"), FREEDOMS.items(), ids=FREEDOMS.keys())
def test_a_freedom_is_not_accused(name: str, freedom: Freedom) -> None:
    outcomes = asyncio.run(played(name, freedom))
    levels = {id: entry.level for id, entry in PROFILE.catalogue.items()}
    found = {
        (f.requirement, f.level(levels))
        for outcome in outcomes
        for f in outcome.judgement.findings
        if not f.strict_only
    }
    assert found == freedom.found
    verdicts = [outcome.judgement.verdict for outcome in outcomes]
    others = [
        (outcome.case.id, outcome.judgement.reason)
        for outcome in outcomes
        if outcome.judgement.verdict not in (Verdict.PASS, Verdict.SKIP)
    ]
    assert Verdict.PASS in verdicts
    assert verdicts.count(Verdict.INCONCLUSIVE) == len(others) == freedom.undecided, others


async def shown(name: str | None) -> frozenset[str]:
    card = cards.load(PROFILE.reference.card, PROFILE.card)
    env = card.env if name is None else {**card.env, "ROLLOUT_MUTANT": name}
    card = card.model_copy(update={"env": env, "dialects": ["routed"], "capabilities": []})
    target = PROFILE.reference.app if name is None else "app:rollout_server.mutants:create_app"
    async with ready(RunOptions(target=target, described=card)) as run:
        return run.peers.shown["routed"]  # type: ignore[attr-defined, no-any-return]


@pytest.mark.parametrize(
    ("name", "found"),
    [(None, {"status", "cancel", "metrics"}), ("knows_nothing", {"metrics"})],
    ids=["reference", "knows_nothing"],
)
def test_a_first_rollout_shows_whether_rollouts_are_known_and_cancelled(name: str | None, found: set[str]) -> None:
    assert asyncio.run(shown(name)) == found


async def with_one_place(names: tuple[str, ...]) -> list[Outcome]:
    """The outcomes of these cases at a server that runs one rollout at a time, and lets the others wait."""
    card = cards.load(PROFILE.reference.card, PROFILE.card)
    env = {**card.env, "ROLLOUT_MAX_CONCURRENT": "1", "ROLLOUT_MAX_QUEUED": "64"}
    card = card.model_copy(update={"env": env, "patience_s": 2.0})
    async with ready(RunOptions(target=PROFILE.reference.app, described=card)) as run:
        cases = [case for case in run.applicable(case_catalog.every("rollout")) if case.name in names]
        return await asyncio.gather(*(run.runner.play(case) for case in cases))


def test_a_server_with_one_place_is_not_accused_of_a_rollout_that_waits_for_it() -> None:
    outcomes = asyncio.run(with_one_place(("Two rollouts that are answered at the same time",)))
    assert {outcome.case.dialect for outcome in outcomes} == {"sync", "callback", "routed", "leased"}
    assert [f for outcome in outcomes for f in outcome.judgement.findings] == []
    for outcome in outcomes:
        assert outcome.judgement.verdict is Verdict.INCONCLUSIVE
        assert "while the case kept 1 others waiting" in outcome.judgement.reason
