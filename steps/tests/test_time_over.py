"""What a run shows of its progress, and what it concludes when its time is over."""

import time

import pytest

from rollout_conformance.steps import progress
from rollout_conformance.steps.baseline import Baseline
from rollout_conformance.steps.commands.conclusion import conclude
from rollout_conformance.steps.engine.cases import Case
from rollout_conformance.steps.engine.early_end import Reason
from rollout_conformance.steps.engine.findings import Finding, Location, Satisfied, judge
from rollout_conformance.steps.engine.outcome import Outcome
from rollout_conformance.steps.run_results import RunResults
from rollout_conformance.steps.run_setup import RunOptions


def test_progress_is_a_line_a_minute_where_there_is_no_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with progress.shown(3) as shown:
        shown.update(1)
        assert capsys.readouterr().err == ""
        monkeypatch.setattr(progress, "EVERY_S", 0.0)
        shown.update(1)
    assert capsys.readouterr().err == "judging: 2 of 3 cases after 0 s, 1 left\n"


@pytest.mark.parametrize(
    ("in_flight", "rest"),
    [
        ([], ", about 32 s left"),
        ([("a", 5.0), ("b", 31.0)], ", about 32 s left"),
        ([("a", 5.0), ("b", 40.0)], ', 20 left, the oldest of them in flight for 40 s: "b"'),
    ],
)
def test_the_time_left_is_not_told_where_a_case_has_taken_longer_already(
    in_flight: list[tuple[str, float]],
    rest: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    lines = progress.Lines(60, lambda: in_flight)
    lines.began = lines.last = time.monotonic() - 64
    lines.update(40)
    assert capsys.readouterr().err == f"judging: 40 of 60 cases after 64 s{rest}\n"


def outcome(*evidence: Finding | Satisfied) -> Outcome:
    case = Case("a", "rollout", "sync", ("ROLLOUT-094",), (), Location("x.yaml", 7))
    return Outcome(case, judge(evidence, ("ROLLOUT-094",), {"ROLLOUT-094": "must"}, "must"), None, 0.1, "")


@pytest.mark.parametrize(
    ("evidence", "code", "words"),
    [
        (Finding("ROLLOUT-094", "one", "another"), 1, "Not fit to train on: 1 requirement broken: ROLLOUT-094."),
        (Satisfied("ROLLOUT-094"), 2, "No verdict: the run did not get to its end."),
    ],
)
def test_the_end_of_its_time_is_1_with_findings_and_2_without(
    evidence: Finding | Satisfied, code: int, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    found = RunResults(RunOptions(), None)
    found.planned = 3
    found.add(outcome(evidence))

    def shown_at_the_end(outcomes: list[Outcome], planned: int) -> int:
        return conclude(RunOptions(), outcomes, Baseline(), planned, reason)

    reason = Reason("--max-time 1")
    assert found.end_early(reason, shown_at_the_end) == code
    shown = capsys.readouterr().out
    assert words in shown
    assert "Ended early by --max-time 1: 1 of 3 cases had been played." in shown
    reason = Reason("SIGTERM", 143)
    assert found.end_early(reason, shown_at_the_end) == 143
