"""The register of public bug reports: what it refuses, that each entry is reproduced by what it names, and where it is shown."""

import asyncio
from pathlib import Path

import pytest
from click.testing import CliRunner

from rollout_conformance.contracts import reports
from rollout_conformance.contracts.strict_yaml import CatalogueError
from rollout_conformance.steps import case_catalog
from rollout_conformance.steps.cli import cli
from rollout_conformance.steps.mutation_testing import listed, reported
from rollout_conformance.steps.profiles import PROFILES, profile_of

ENTRY = "- seen: [a/b#1]\n  symptom: it fails\n  requirement: R-001\n  mutant: fails\n"


def loaded(folder: Path, text: str) -> dict[str, tuple[reports.Report, ...]]:
    file = folder / reports.FILE
    file.write_text(f"reports:\n{text}")
    return dict(reports.by_requirement(file, {"R-001"}))


def test_an_entry_is_found_by_its_requirement(tmp_path: Path) -> None:
    assert loaded(tmp_path, ENTRY) == {"R-001": (reports.Report(("a/b#1",), "it fails", "R-001", "fails", None, ()),)}


def test_a_profile_without_a_register_has_no_reports(tmp_path: Path) -> None:
    assert reports.load(tmp_path / reports.FILE) == ()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (ENTRY.replace("a/b#1", "a-b-1"), r"reports.yaml:2: String should match pattern"),
        (ENTRY.replace("R-001", "R-009"), r"reports.yaml:2: a/b#1: there is no requirement R-009"),
        (ENTRY.replace("  mutant: fails\n", ""), r"reports.yaml:2: a/b#1: write one of mutant and case"),
        (ENTRY + "  case: it\n", r"reports.yaml:2: a/b#1: write one of mutant and case"),
        (ENTRY + ENTRY, r"reports.yaml:6: a/b#1 is listed for R-001 by entry 1 already"),
        (ENTRY + "  date: 2026\n", r"reports.yaml:6: Extra inputs are not permitted"),
    ],
)
def test_what_is_wrong_with_an_entry_is_told_with_its_line(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(CatalogueError, match=told):
        loaded(tmp_path, text)


@pytest.mark.parametrize("profile", list(PROFILES))
def test_each_report_is_reproduced_by_what_it_names(profile: str) -> None:
    catalogue = profile_of(profile).catalogue
    mutants = {mutant.name: mutant for mutant in asyncio.run(listed((), profile))}
    cases = {case.name for case in case_catalog.every(profile)}
    wrong = []
    for report in (report for entry in catalogue.values() for report in entry.reports):
        if report.mutant is None:
            wrong += [report] if report.case not in cases else []
            continue
        mutant = mutants.get(report.mutant)
        breaks = {mutant.requirement, *mutant.companions} if mutant else set()
        applies = set(report.dialects) <= set(mutant.dialects) if mutant else False
        wrong += [report] if report.requirement not in breaks or not applies else []
    assert wrong == []


def test_there_are_at_least_a_hundred_reports() -> None:
    assert sum(len(entry.reports) for profile in PROFILES for entry in profile_of(profile).catalogue.values()) >= 100


def test_the_mutants_of_the_register_can_be_chosen() -> None:
    assert set(reported("router")) <= {mutant.name for mutant in asyncio.run(listed((), "router"))}


def test_explain_shows_the_reports() -> None:
    result = CliRunner().invoke(cli, ["explain", "ROLLOUT-240"])
    assert "seen      in the wild: 2 public reports" in result.output
    assert "radixark/miles#3319: the failure of one sample" in result.output
