"""Lint finds what is wrong between the cases and the catalogue, and both agree with what the code judges."""

import asyncio
from dataclasses import replace

import pytest

from rollout_conformance.contracts.requirements import Method
from rollout_conformance.contracts.rollout.lifecycle import BREACHES
from rollout_conformance.steps import case_catalog, lint, mutant_list
from rollout_conformance.steps.engine.cases import Case
from rollout_conformance.steps.engine.findings import Location
from rollout_conformance.steps.profiles.rollout import fuzz_adapter
from rollout_conformance.steps.profiles.rollout.profile import PROFILE

AT = Location("scenarios/rollout/x.yaml", 7)
FILE = "contracts/rollout/requirements.yaml"


def linted(monkeypatch: pytest.MonkeyPatch, about: str, judged_by: tuple[Method, ...], cases: bool = True) -> list[str]:
    """What lint says of a catalogue with one SHOULD, judged so, and of the cases about it."""
    entry = replace(PROFILE.catalogue[about], level="should", judged_by=judged_by)
    if not judged_by:
        entry = replace(entry, judged=None, not_judged="too dark")
    monkeypatch.setattr(lint, "profile_of", lambda name: replace(PROFILE, catalogue={about: entry}))
    case = Case("c", "rollout", "sync", (about,), (), AT)
    monkeypatch.setattr(case_catalog, "every", lambda profile: [case] if cases else [])
    return lint.problems(replace(PROFILE, catalogue={about: entry}))


def test_a_requirement_that_names_cases_has_one(monkeypatch: pytest.MonkeyPatch) -> None:
    said = linted(monkeypatch, "ROLLOUT-103", ("invariant", "case"), cases=False)
    assert said == [f"{FILE}: ROLLOUT-103: judged_by names case, and no case is about it; write one, or not_judged"]


@pytest.mark.parametrize(
    ("judged_by", "told"),
    [
        ((), "it is not_judged"),
        (("fuzzing",), "judged_by is [fuzzing]"),
        (("exploration",), "judged_by is [exploration]"),
    ],
    ids=str,
)
def test_a_case_is_about_what_cases_can_judge(
    monkeypatch: pytest.MonkeyPatch, judged_by: tuple[Method, ...], told: str
) -> None:
    (said,) = linted(monkeypatch, "ROLLOUT-103", judged_by)
    assert said == f"{AT}: a case about ROLLOUT-103, of which {FILE} says that {told}; add case there"


@pytest.mark.parametrize("judged_by", [("case",), ("invariant",), ("invariant", "fuzzing")], ids=str)
def test_a_case_that_judges_or_brings_the_occasion_is_right(
    monkeypatch: pytest.MonkeyPatch, judged_by: tuple[Method, ...]
) -> None:
    assert linted(monkeypatch, "ROLLOUT-103", judged_by) == []


def test_what_an_order_of_events_breaks_is_explored() -> None:
    explored = {id for id, entry in PROFILE.catalogue.items() if "exploration" in entry.judged_by}
    assert set(BREACHES.values()) <= explored


def test_what_a_silence_after_a_generated_start_breaks_is_fuzzed() -> None:
    fuzzing = {id for id, entry in PROFILE.catalogue.items() if "fuzzing" in entry.judged_by}
    assert {id for ids in fuzz_adapter.ABOUT.values() for id in ids} <= fuzzing


def test_a_mutant_that_only_one_method_finds_breaks_what_that_method_judges() -> None:
    planted = [mutant for mutant in asyncio.run(mutant_list.listed(())) if mutant.by in ("fuzzing", "exploration")]
    assert planted
    assert [m.name for m in planted if m.by not in PROFILE.catalogue[m.requirement].judged_by] == []
