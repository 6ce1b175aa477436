"""A case about what only one configuration of a target shows: its author learns which, so that it does not pass on any target."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from rollout_conformance.steps import case_catalog, catalogues, lint
from rollout_conformance.steps.cli import cli
from rollout_conformance.steps.engine import target_card
from rollout_conformance.steps.profiles import PROFILES

CASE = """\
cases:
- name: a client that leaves
  requirements: [WORKER-049]
  steps:
  - {execute: {name: left, prompt: Count to 20., max_tokens: 400, disconnect_after: 2}}
  - {execute: {name: next, prompt: Hello!, max_tokens: 20}}
  expect: [EXPECTED]
"""
ON_ONE_SLOT = CASE.replace("  steps:", "  variant: one_slot\n  steps:")
FREE, CARRIED_OUT = "{slot_is_free: {of: next, left: left}}", "{carried_out: next}"
FEATURE = """\
Feature: Slots

  @WORKER-049 {tag}
  Scenario: a client that leaves
    When the client executes "Count to 20." with at most 400 tokens and disconnects after 2 of them
    And the client executes "Hello!" with at most 20 tokens
    Then the response has the slot of first long before that would have ended
"""


def told_of(file: Path, text: str) -> tuple[int, str]:
    file.write_text(text, encoding="utf-8")
    result = CliRunner().invoke(cli, ["lint", str(file)])
    return result.exit_code, result.output


def test_a_slot_is_judged_where_there_is_one(tmp_path: Path) -> None:
    code, told = told_of(tmp_path / "a.yaml", CASE.replace("EXPECTED", FREE))
    assert code == 1
    assert ":7:12: this is decided on the variant `one_slot` of the target: write `variant: one_slot`" in told
    code, told = told_of(tmp_path / "a.feature", FEATURE.format(tag=""))
    assert code == 1
    assert "the tag @variant:one_slot" in told


@pytest.mark.parametrize("expected", [FREE, CARRIED_OUT])
def test_a_case_on_the_variant_is_right(tmp_path: Path, expected: str) -> None:
    code, told = told_of(tmp_path / "a.yaml", ON_ONE_SLOT.replace("EXPECTED", expected))
    assert (code, told) == (0, "worker: 5 cases, nothing wrong\n")
    assert told_of(tmp_path / "a.feature", FEATURE.format(tag="@variant:one_slot"))[0] == 0


def test_a_case_on_no_variant_gets_a_note(tmp_path: Path) -> None:
    code, told = told_of(tmp_path / "a.yaml", CASE.replace("EXPECTED", CARRIED_OUT))
    assert code == 0
    assert told.count("NOTE") == 1
    assert ":2: WORKER-049 is decided on the variant `one_slot` of the target, and this case is played on none." in told


@pytest.mark.parametrize("profile", PROFILES)
def test_what_is_called_a_variant_is_one_of_the_reference(profile: str) -> None:
    reference = PROFILES[profile].reference
    declared = set(target_card.load(reference.card, PROFILES[profile].card).variants)
    assert {name for name in catalogues.capabilities(profile) if catalogues.is_variant(profile, name)} <= declared


@pytest.mark.parametrize("profile", PROFILES)
def test_few_of_the_cases_that_ship_are_decided_otherwise(profile: str) -> None:
    found = lint.remarks(lint.Checked({profile: case_catalog.every(profile)}, []))
    assert [line.partition(": ")[2][:10] for line in found] == (["WORKER-049"] if profile == "worker" else [])


def test_explain_says_what_a_need_is() -> None:
    told = CliRunner().invoke(cli, ["explain", "WORKER-049"]).output
    assert "needs     one_slot: the target card has a variant with one slot" in told
    assert "`variant: one_slot` in a case plays it there" in told
    told = CliRunner().invoke(cli, ["explain", "ROLLOUT-093"]).output
    assert "needs     tools: the target has at least one tool" in told
