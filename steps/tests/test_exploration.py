"""Walks and pairs are scenarios like any other, every pair occurs, and what is found can be kept and run alone."""

import itertools
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings

from rollout_conformance.steps import case_catalog
from rollout_conformance.steps.engine import target_card as cards
from rollout_conformance.steps.engine import yaml_source
from rollout_conformance.steps.exploration.explore import explore, save
from rollout_conformance.steps.exploration.shrink import reduced
from rollout_conformance.steps.profiles.rollout.exploration import smaller
from rollout_conformance.steps.profiles.rollout.exploration.fault_pairs import ASPECTS, pairs
from rollout_conformance.steps.profiles.rollout.exploration.scenario_emitter import unlabelled
from rollout_conformance.steps.profiles.rollout.exploration.walk import Walk, walks
from rollout_conformance.steps.profiles.rollout.profile import PROFILE
from rollout_conformance.steps.run_setup import RunOptions
from rollout_conformance.steps.scenario import loader as scenario
from rollout_conformance.steps.scenario.document_text import text_of

MUTANTS = "app:rollout_server.mutants:create_app"


def compiled(document: Any) -> list[Any]:
    return scenario.compiled(yaml_source.parse(text_of(document), "a walk"), PROFILE)


@pytest.mark.parametrize("stops", [False, True])
@pytest.mark.parametrize("dialect", PROFILE.dialects)
def test_every_walk_is_a_scenario(dialect: str, stops: bool) -> None:
    stopped = set()

    @settings(max_examples=60, deadline=None, database=None, derandomize=True)
    @given(walks(dialect, PROFILE.tables[dialect], stops=stops))
    def check(document: Any) -> None:
        (case,) = compiled(document)
        assert case.dialect == dialect
        assert case.expectations
        assert case.alone == ("restart" in case.needs) == (case.requirements == ("ROLLOUT-144",))
        stopped.add(case.alone)

    check()
    assert (True in stopped) == (stops and dialect in ("callback", "routed"))


@pytest.mark.parametrize("dialect", PROFILE.dialects)
def test_walks_contain_every_event_of_the_trainer(dialect: str, monkeypatch: pytest.MonkeyPatch) -> None:
    made, make = set(), Walk.make

    def noted(self: Walk, part: Any, event: str) -> None:
        made.add(event)
        make(self, part, event)

    monkeypatch.setattr(Walk, "make", noted)

    @settings(max_examples=100, deadline=None, database=None, derandomize=True)
    @given(walks(dialect, PROFILE.tables[dialect]))
    def draw(document: Any) -> None:
        pass

    draw()
    assert made == {event for events in PROFILE.tables[dialect]["trainer"].values() for event in events}


@pytest.mark.parametrize("dialect", PROFILE.dialects)
def test_every_pair_of_faults_occurs(dialect: str) -> None:
    documents = list(pairs(dialect))
    assert all(compiled(document) for document in documents)
    names = [document["cases"][0]["name"] for document in documents]
    for (one, ones), (two, twos) in itertools.combinations(ASPECTS.items(), 2):
        for a, b in itertools.product(ones, twos):
            wanted = [
                f"{aspect.replace('_', ' ')} {value}" for aspect, value in ((one, a), (two, b)) if value is not None
            ]
            assert any(all(text in name for text in wanted) for name in names), (one, a, two, b)


def test_other_numbers_pair_otherwise() -> None:
    assert list(pairs("sync", 1)) == list(pairs("sync", 1)) != list(pairs("sync", 2))


def test_a_scenario_is_reduced_to_what_it_needs() -> None:
    part = {"trainer": [{"text": "Done."}]}
    steps = [
        {"start": "a"},
        {"resend_start": {"rollout": "a"}},
        {"start": "b"},
        {"resend_start": {"rollout": "b"}},
        {"wait_for_end": "all"},
    ]
    expect = [{"ended": "a"}, {"ended": "b"}]
    document = {"cases": [{"name": "n", "rollouts": {"a": part, "b": part}, "steps": steps, "expect": expect}]}
    small = reduced(document, lambda d: {"resend_start": {"rollout": "b"}} in d["cases"][0]["steps"], smaller)
    (case,) = unlabelled(small)["cases"]
    assert case == {"name": "n", **part, "steps": ["start", "resend_start", "wait_for_end"], "expect": ["ended"]}


def test_an_order_of_three_events_is_found_and_its_scenario_fails_alone(tmp_path: Path) -> None:
    card = cards.load(PROFILE.reference.card, PROFILE.card)
    card = card.model_copy(update={"env": {**card.env, "ROLLOUT_MUTANT": "changes_its_mind"}})
    request = RunOptions(target=MUTANTS, described=card)
    explored = explore(request, "callback", 300)
    file = save(explored, tmp_path)
    assert file is not None
    (case,) = case_catalog.among([file], PROFILE)
    assert case.requirements == ("ROLLOUT-137",)
    assert "resend_start" in file.read_text()
    assert len(case.actions) <= 8
    assert verdict_of(case, request) == "fail"
    assert verdict_of(case, RunOptions()) == "pass"


def verdict_of(case: Any, request: RunOptions) -> str:
    import asyncio

    from rollout_conformance.steps.run_setup import ready

    async def play() -> str:
        async with ready(request) as run:
            return str((await run.runner.play(case)).judgement.verdict)

    return asyncio.run(play())
