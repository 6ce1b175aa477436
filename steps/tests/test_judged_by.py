"""What the catalogues say of who judges a requirement is what the suite does."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from rollout_conformance.contracts.rollout.lifecycle import BREACHES as ROLLOUT
from rollout_conformance.contracts.trainer.lifecycle import BREACHES as TRAINER
from rollout_conformance.steps import case_catalog
from rollout_conformance.steps.profiles import PROFILES

STEPS = Path(__file__).parents[1]
NAMES = ("trainer", "chat", "router", "training")


@pytest.mark.parametrize("name", NAMES)
def test_what_a_case_judges_is_what_a_case_is_about_first(name: str) -> None:
    """The demands of a case accuse its first requirement; of the others an invariant, or nothing, is judged."""
    first = {case.requirements[0] for case in case_catalog.every(name)}
    judged = {entry.id for entry in PROFILES[name].catalogue.values() if "case" in entry.judged_by}
    assert judged - first == set()


@pytest.mark.parametrize("name", NAMES)
def test_what_generated_requests_accuse_of_by_name_is_judged_by_fuzzing(name: str) -> None:
    catalogue, fuzz = PROFILES[name].catalogue, PROFILES[name].fuzz
    assert fuzz is not None
    accused = {fuzz.no_internals, fuzz.no_secrets, *fuzz.by_check.values()}
    assert [id for id in sorted(accused) if "fuzzing" not in catalogue[id].judged_by] == []


@pytest.mark.parametrize(("name", "breaches"), [("rollout", ROLLOUT), ("trainer", TRAINER)])
def test_what_the_order_of_events_accuses_of_is_judged_by_an_invariant(name: str, breaches: Mapping[Any, str]) -> None:
    catalogue = PROFILES[name].catalogue
    assert [id for id in sorted(set(breaches.values())) if "invariant" not in catalogue[id].judged_by] == []


@pytest.mark.parametrize("name", sorted(PROFILES))
def test_what_an_invariant_accuses_of_by_name_is_judged_by_an_invariant(name: str) -> None:
    """An accusation that the catalogue does not know is an error of the suite, and is raised at a target that has the defect."""
    catalogue = PROFILES[name].catalogue
    modules = [
        *(STEPS / "profiles" / name).glob("invariants*/**/*.py"),
        *(STEPS / "profiles" / name).glob("invariants.py"),
    ]
    named = {id for one in modules for id in re.findall(r'"([A-Z]+-\d{3})"', one.read_text())}
    assert [id for id in sorted(named & set(catalogue)) if "invariant" not in catalogue[id].judged_by] == []
