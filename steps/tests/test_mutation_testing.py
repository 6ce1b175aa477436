"""The kill matrix: what counts as killed, what as an accident; and three mutants for real."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest

from rollout_conformance.steps import mutant_run, mutation_testing
from rollout_conformance.steps.engine.cases import Case
from rollout_conformance.steps.engine.findings import Evidence, Finding, Location, Satisfied, SuiteError, judge
from rollout_conformance.steps.engine.outcome import Outcome
from rollout_conformance.steps.mutant_list import MutantInfo, listed
from rollout_conformance.steps.mutant_run import MutantRun, Search, batches, judged

MUTANT = MutantInfo("m", "ROLLOUT-094", ("ROLLOUT-093",), ("sync",), "what it does", "cases")
LEVELS = {"ROLLOUT-093": "must", "ROLLOUT-094": "must", "ROLLOUT-095": "must"}


def outcome(*evidence: Evidence) -> Outcome:
    case = Case("c", "rollout", "sync", ("ROLLOUT-094",), (), Location("x.yaml", 1))
    return Outcome(case, judge(evidence, ("ROLLOUT-094",), LEVELS, "may"), None, 0.0, "")


def found_in(mutant: MutantInfo) -> Outcome:
    case = Case("c", "rollout", "sync", (mutant.requirement,), (), Location("x.yaml", 1))
    levels = {mutant.requirement: "must"}
    return Outcome(case, judge([found(mutant.requirement)], case.requirements, levels, "may"), None, 0.0, "")


def found(name: str) -> Finding:
    return Finding(name, "said", "saw")


def test_a_mutant_that_nothing_finds_survives() -> None:
    kill = mutation_testing.MutantResult(MUTANT, (judged(MUTANT, "cases", [outcome(Satisfied("ROLLOUT-094"))]),))
    assert not kill.killed
    assert "SURVIVED" in kill.line()


def test_a_survivor_names_the_cases_that_were_not_decided() -> None:
    kill = mutation_testing.MutantResult(MUTANT, (judged(MUTANT, "cases", [outcome()]),))
    assert kill.survived
    assert 'SURVIVED cases, not decided: "c" [sync]: ' in kill.line()


def test_a_mutant_is_killed_by_its_own_requirement() -> None:
    kill = mutation_testing.MutantResult(
        MUTANT, (judged(MUTANT, "cases", [outcome(found("ROLLOUT-094"), found("ROLLOUT-093"))]),)
    )
    assert kill.killed
    assert kill.accidents == []
    assert '"c" [sync]' in kill.line()


def test_what_is_not_declared_is_an_accident() -> None:
    kill = mutation_testing.MutantResult(MUTANT, (judged(MUTANT, "cases", [outcome(found("ROLLOUT-095"))]),))
    assert not kill.killed
    assert kill.accidents == ["ROLLOUT-095"]
    assert "also, undeclared: ROLLOUT-095 in " in kill.line()


def about(*names: str) -> Case:
    return Case("-".join(names), "rollout", "sync", names, (), Location("x.yaml", 1))


def test_a_search_plays_first_what_is_about_its_requirement() -> None:
    one, two, three = about("ROLLOUT-093"), about("ROLLOUT-094", "ROLLOUT-093"), about("ROLLOUT-095")
    search = Search(frozenset({"ROLLOUT-094"}), lambda run: True)
    assert batches([one, two, three], search) == [[two], [one, three]]
    assert batches([one, three], search) == [[one, three]]
    assert batches([one, two], None) == [[one, two]]


@pytest.mark.slow
def test_a_quick_run_ends_when_the_mutant_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    played: list[int] = []

    def counted(mutant: MutantInfo, method: str, outcomes: Sequence[Outcome], accused: str | None) -> MutantRun:
        played.append(len(outcomes))
        return judged(mutant, method, outcomes, accused)

    monkeypatch.setattr(mutant_run, "judged", counted)
    lines: list[str] = []
    assert asyncio.run(mutation_testing.matrix(("mask_at_once",), (), 1, lines.append, quick=True)) == 0, lines
    assert len(played) == 1
    assert 0 < played[0] < 100
    assert "1 mutants of 1 requirements: 1 killed, 0 survived" in lines[-1]


def test_an_unknown_mutant_is_told() -> None:
    with pytest.raises(SuiteError, match="no mutant of the profile rollout is called nobody"):
        asyncio.run(listed(("nobody",)))


def test_a_mutant_that_cannot_be_judged_is_one_row(monkeypatch: pytest.MonkeyPatch) -> None:
    async def run_mutant(
        mutant: MutantInfo, method: str, profile: str, card: Path | None, search: Search | None
    ) -> MutantRun:
        if mutant.name == "mask_short":
            raise SuiteError("http://127.0.0.1:1: nothing can be judged:\n  every start is answered 500 boom")
        return judged(mutant, method, [found_in(mutant)])

    monkeypatch.setattr(mutation_testing, "run_mutant", run_mutant)
    lines: list[str] = []
    assert asyncio.run(mutation_testing.matrix(("mask_short", "respaced"), (), 1, lines.append)) == 2
    assert any("mask_short" in line and line.endswith("every start is answered 500 boom") for line in lines)
    assert "2 mutants of 2 requirements: 1 killed, 0 survived, 1 could not be judged, 0 with undeclared" in lines[-1]


def test_a_survivor_counts_more_than_what_cannot_be_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    async def run_mutant(
        mutant: MutantInfo, method: str, profile: str, card: Path | None, search: Search | None
    ) -> MutantRun:
        if mutant.name == "mask_short":
            raise SuiteError("gone")
        return judged(mutant, method, [])

    monkeypatch.setattr(mutation_testing, "run_mutant", run_mutant)
    assert asyncio.run(mutation_testing.matrix(("mask_short", "respaced"), (), 1, lambda line: None)) == 1


@pytest.mark.slow
def test_three_mutants_are_killed() -> None:
    # One at a time: what a starved machine makes late is no test of the matrix.
    lines: list[str] = []
    code = asyncio.run(mutation_testing.matrix(("mask_short", "respaced", "contradicts"), (), 1, lines.append))
    assert lines[-1].startswith("3 mutants of 3 requirements: 3 killed, 0 survived"), lines
    assert code == (0 if lines[-1].endswith("0 with undeclared findings") else 1)
