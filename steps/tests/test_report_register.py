"""The register names what exists; an entry is proved when its requirement is broken in every dialect, and findings show it."""

import asyncio
from collections import Counter
from dataclasses import replace

import pytest

from rollout_conformance.contracts.reports import BugReport
from rollout_conformance.contracts.requirements import Requirement
from rollout_conformance.steps import catalogues, report_register
from rollout_conformance.steps.engine import bug_reports
from rollout_conformance.steps.mutant_list import MutantInfo
from rollout_conformance.steps.mutant_run import MutantRun
from rollout_conformance.steps.profiles import PROFILES
from rollout_conformance.steps.report_register import Named
from rollout_conformance.steps.requirement_text import requirement_text

REPORT = BugReport(("a/b#1",), "2026-11", "It breaks.", "ROLLOUT-094", "m", None, (), "reports.yaml:3")
MUTANT = MutantInfo("m", "ROLLOUT-094", ("ROLLOUT-093",), ("sync", "callback"), "what it does", "cases")
CATALOGUE = catalogues.of("rollout")
NAMED = Named(CATALOGUE, {"m": MUTANT}, {"a case": {"ROLLOUT-094"}, "another case": {"ROLLOUT-001"}})


@pytest.mark.parametrize("profile", PROFILES)
def test_everything_that_a_register_names_exists(profile: str) -> None:
    assert asyncio.run(report_register.problems(profile)) == []


@pytest.mark.parametrize(
    ("report", "told"),
    [
        (REPORT, []),
        (replace(REPORT, requirement="ROLLOUT-093"), []),
        (replace(REPORT, mutant=None, case="a case"), []),
        (replace(REPORT, requirement="SOAP-001"), ["requirement: saw 'SOAP-001', which does not exist"]),
        (replace(REPORT, mutant="mm"), ["mutant: saw 'mm', which does not exist; did you mean m?"]),
        (
            replace(REPORT, requirement="ROLLOUT-095"),
            ["requirement: saw ROLLOUT-095; the mutant m breaks ROLLOUT-094, ROLLOUT-093"],
        ),
        (
            replace(REPORT, mutant=None, case="a casee"),
            ["case: saw 'a casee', which does not exist; did you mean a case or another case?"],
        ),
        (
            replace(REPORT, mutant=None, case="another case"),
            ["case: 'another case' is about ROLLOUT-001, not about ROLLOUT-094"],
        ),
        (
            replace(REPORT, dialects=("sync", "routed")),
            ["dialects: saw 'routed'; the mutant m has its defect in sync, callback"],
        ),
    ],
)
def test_an_entry_that_names_what_does_not_fit_is_refused(report: BugReport, told: list[str]) -> None:
    assert [*report_register.wrong_in(report, NAMED)] == told


@pytest.mark.parametrize(
    ("broken_in", "dialects", "verdict"),
    [
        ({"sync", "callback"}, (), ("killed in sync, callback", 0)),
        ({"sync"}, ("sync",), ("killed in sync", 0)),
        ({"sync"}, (), ("NOT KILLED by ROLLOUT-094 in callback", 1)),
        (set(), (), ("NOT KILLED by ROLLOUT-094 in sync, callback", 1)),
    ],
)
def test_an_entry_is_proved_in_every_dialect(
    broken_in: set[str], dialects: tuple[str, ...], verdict: tuple[str, int]
) -> None:
    run = MutantRun("cases", Counter({"ROLLOUT-094": len(broken_in)}), {}, {"ROLLOUT-094": broken_in})
    line, code = report_register.verdict(replace(REPORT, dialects=dialects), MUTANT, run, _entry())
    assert (line.rpartition(": ")[2], code) == verdict


def test_a_mutant_that_could_not_be_judged_proves_nothing() -> None:
    line, code = report_register.verdict(REPORT, MUTANT, "it did not start", _entry())
    assert (line.endswith("could not be judged: it did not start"), code) == (True, 2)


def _entry() -> Requirement:
    return CATALOGUE["ROLLOUT-094"]


def test_a_requirement_shows_its_reports() -> None:
    text = requirement_text(_entry(), (), [REPORT, replace(REPORT, references=("a/b#2", "c/d#3"))])
    assert "  seen in the wild: 3 reports\n    a/b#1: It breaks.\n    a/b#2, c/d#3: It breaks." in text
    assert "seen in the wild" not in requirement_text(_entry(), ())


def test_the_line_of_a_finding_is_one_line_however_many_reports_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    many = tuple(f"owner/repository#{n}" for n in range(1, 30))
    monkeypatch.setattr(bug_reports, "about", lambda requirement: (replace(REPORT, references=many),))
    line = bug_reports.short_line("ROLLOUT-094")
    assert line is not None
    assert line.startswith("owner/repository#1, owner/repository#2, ")
    assert line.endswith(", ... (29 reports)")
    assert len(line) < 110
    monkeypatch.setattr(bug_reports, "about", lambda requirement: ())
    assert bug_reports.short_line("ROLLOUT-094") is None
