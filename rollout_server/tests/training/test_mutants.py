"""The list of mutants against the requirements: which are broken, and in which dialect."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from rollout_conformance.rollout_server.mutants.framework import CASES
from rollout_conformance.rollout_server.mutants.training import ALL, CATALOGUE
from rollout_conformance.rollout_server.mutants.training.variants import VARIANTS

FILE = Path(__file__).parents[3] / "contracts/training/requirements.yaml"
REQUIREMENTS: dict[str, Any] = {one["id"]: one for one in yaml.safe_load(FILE.read_text())["requirements"]}
DESCRIBED = [CATALOGUE.describe(mutant) for mutant in ALL.values()]


def test_no_variant_has_the_name_of_a_mutant() -> None:
    assert not set(ALL) & set(VARIANTS)


@pytest.mark.parametrize("one", DESCRIBED, ids=lambda one: one["name"])
def test_a_mutant_breaks_a_requirement_of_its_dialects(one: dict[str, Any]) -> None:
    assert {one["requirement"], *one["companions"]} <= {*REQUIREMENTS, "*"}
    requirement = REQUIREMENTS[one["requirement"]]
    assert set(one["dialects"]) <= set(requirement["dialects"])
    assert one["by"] != CASES or "not_judged" not in requirement


def test_each_judged_requirement_has_a_mutant_in_each_dialect() -> None:
    judged = {
        (name, dialect)
        for name, one in REQUIREMENTS.items()
        if "not_judged" not in one and one["level"] == "must"
        for dialect in one["dialects"]
    }
    broken = {(one["requirement"], dialect) for one in DESCRIBED for dialect in one["dialects"]}
    # What is JSON in both wires of the SDK runs the same code here and there.
    broken |= {(requirement, "tinker") for requirement, dialect in broken if dialect == "tinker-json"}
    assert judged - broken == set()
