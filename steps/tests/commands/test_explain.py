"""`explain`: a requirement in full, with the cases that are about it."""

import pytest
from click.testing import CliRunner

from rollout_conformance.steps import case_catalog, case_index, catalogues
from rollout_conformance.steps.cli import cli
from rollout_conformance.steps.engine.findings import SuiteError
from rollout_conformance.steps.profiles import PROFILES


def test_a_requirement_is_shown_with_its_sentence_and_its_cases() -> None:
    shown = CliRunner().invoke(cli, ["explain", "rollout-112"]).output
    entry = catalogues.of("rollout")["ROLLOUT-112"]
    assert shown.startswith(f"ROLLOUT-112  MUST  (sync, callback, routed, leased)\n  {entry.sentence}\n")
    assert "  case      features/rollout/first.feature:6  Five plus three [sync, callback, routed, leased]\n" in shown


@pytest.mark.parametrize("name", ["ROLLOUT-999999", "zzzz", "SOAP-001"])
def test_an_id_that_does_not_exist_is_refused_with_what_is_near(name: str) -> None:
    result = CliRunner().invoke(cli, ["explain", name])
    assert isinstance(result.exception, SuiteError)
    assert str(result.exception).startswith(f"explain {name}: no such requirement. ")


@pytest.mark.parametrize("profile", PROFILES)
def test_the_index_finds_the_cases_that_compilation_gives(profile: str) -> None:
    compiled = case_catalog.every(profile)
    catalogue = catalogues.of(profile)
    assert dict(catalogue) == dict(PROFILES[profile].catalogue)
    for name in catalogue:
        found = [(case.name, case.dialect, str(case.at)) for case in case_index.about(name, profile, catalogue)]
        expected = [(case.name, case.dialect, str(case.at)) for case in compiled if name in case.requirements]
        assert found == expected


def test_a_case_of_several_dialects_is_one_line() -> None:
    lines = CliRunner().invoke(cli, ["explain", "84"]).output.splitlines()
    cases = [line.rpartition(" [") for line in lines if line.startswith("  case ")]
    assert len({name for name, _, _ in cases}) == len(cases)
    assert "callback, routed, leased]" in [dialects for _, _, dialects in cases]
