"""Walks are scenarios that can be loaded, and the plain program of a walk has only the calls that train."""

import pytest
import yaml

from rollout_conformance.contracts.lifecycle import check
from rollout_conformance.contracts.training.lifecycle import CHECKPOINT, FUTURE, RUN, TABLES
from rollout_conformance.steps.engine import yaml_source
from rollout_conformance.steps.profiles import PROFILES
from rollout_conformance.steps.profiles.training.exploration import fault_pairs, moves, program, smaller
from rollout_conformance.steps.scenario import loader

BATCH, STEP = moves.gradient(("A",)), moves.step()


@pytest.mark.parametrize("dialect", TABLES)
def test_the_tables_are_sound(dialect: str) -> None:
    assert check(TABLES[dialect]) == []


@pytest.mark.parametrize("states", [RUN, FUTURE, CHECKPOINT])
def test_every_state_that_follows_is_a_state(states: dict[str, tuple[str, ...]]) -> None:
    assert {after for one in states.values() for after in one} <= set(states)


def test_what_must_not_matter_is_left_out() -> None:
    walk = [moves.twice(BATCH), *moves.IDEMPOTENT.values(), moves.COMPANY, moves.SAMPLED, moves.stepped()]
    assert program.plain(walk) == [BATCH, STEP]


def test_a_load_leads_back_to_the_save() -> None:
    walk = [moves.trained(("A",)), moves.stepped(), moves.saved("x"), moves.trained(("B",)), moves.loaded("x")]
    assert program.plain(walk) == [BATCH, STEP]
    assert program.possible(walk, "tinker-json")
    assert not program.possible(walk[3:], "tinker-json")


def test_numbers_of_calls_out_of_order() -> None:
    walk = [moves.trained(("A",)), moves.swapped(moves.gradient(("B",)), moves.gradient(("C",)))]
    found = list(program.numbered(step for move in walk for step in move.steps))
    assert [step["forward_backward"].get("seq") for step in found if step != "results"] == [None, 3, 2]


@pytest.mark.parametrize("dialect", TABLES)
def test_pairs_are_cases_without_a_mistake(dialect: str) -> None:
    profile = PROFILES["training"]
    for document in fault_pairs(dialect, 1):
        source = yaml_source.parse(yaml.safe_dump(document), "x.yaml")
        cases = loader.compiled(source, profile)
        assert [case.dialect for case in cases] == [dialect]


def test_a_smaller_walk_lacks_one_call() -> None:
    walk = [moves.trained(("A",)), moves.IDEMPOTENT["an evaluation"], moves.stepped()]
    whole = program.document("a walk", "tinker-json", walk)
    (less,) = smaller(whole)
    assert len(less["cases"][0]["steps"]) == len(whole["cases"][0]["steps"]) - 1
