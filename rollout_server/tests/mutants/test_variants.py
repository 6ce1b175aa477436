"""Mutants and conforming variants have different names."""

from rollout_conformance.rollout_server.mutants.rollout import ALL
from rollout_conformance.rollout_server.mutants.rollout.variants import VARIANTS


def test_no_variant_has_the_name_of_a_mutant() -> None:
    assert not set(ALL) & set(VARIANTS)
