"""Mutants and right variants can be told apart, and the catalogue names the method that finds each mutant."""

from pathlib import Path

from contracts import requirements
from rollout_server.mutants import ALL
from rollout_server.mutants.variants import VARIANTS

CATALOGUE = requirements.load(Path(__file__).parents[2] / "contracts" / "rollout" / "requirements.yaml")


def test_no_variant_has_the_name_of_a_mutant() -> None:
    assert not set(ALL) & set(VARIANTS)


def test_a_mutant_that_only_one_method_finds_breaks_what_that_method_judges() -> None:
    planted = [mutant for mutant in ALL.values() if mutant.by in ("fuzzing", "exploration")]
    assert planted
    assert [m.name for m in planted if m.by not in CATALOGUE[f"ROLLOUT-{m.requirement}"].judged_by] == []
