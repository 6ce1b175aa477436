"""The end of a run: what is printed, and which exit code it has."""

import pytest

from rollout_conformance.steps.baseline import Baseline, Entry
from rollout_conformance.steps.commands.conclusion import conclude
from rollout_conformance.steps.commands.exit_code import FINDINGS, NO_JUDGEMENT, OK
from rollout_conformance.steps.engine.cases import Case
from rollout_conformance.steps.engine.early_end import Reason
from rollout_conformance.steps.engine.findings import Finding, Judgement, Location, Verdict
from rollout_conformance.steps.engine.outcome import Outcome
from rollout_conformance.steps.run_setup import RunOptions

ABOUT = "ROLLOUT-094"


def outcome(name: str, verdict: Verdict, reason: str = "") -> Outcome:
    case = Case(name, "rollout", "sync", (ABOUT,), (), Location("x.yaml", 7))
    found = (Finding(ABOUT, "202", "500"),) if verdict is Verdict.FAIL else ()
    judged = {ABOUT: verdict} if verdict in (Verdict.PASS, Verdict.FAIL) else {}
    return Outcome(case, Judgement(verdict, judged, found, reason), None, 0.1, f"rollout-conformance run --case {name}")


PASSED, FAILED = outcome("good", Verdict.PASS), outcome("bad", Verdict.FAIL)
SKIPPED, ERROR = outcome("skipped", Verdict.SKIP, "no streams"), outcome("broken", Verdict.ERROR, "no reply left")
OPEN = outcome("open", Verdict.INCONCLUSIVE, "the occasion did not arise")
KNOWN = Entry(case="bad", requirement=ABOUT, reason="a known defect")


@pytest.mark.parametrize(
    ("outcomes", "planned", "known", "code"),
    [
        ([PASSED], 1, (), OK),
        ([PASSED, SKIPPED, OPEN], 3, (), OK),
        ([PASSED, FAILED], 2, (), FINDINGS),
        ([FAILED, ERROR], 2, (), FINDINGS),
        ([PASSED, ERROR], 2, (), NO_JUDGEMENT),
        ([PASSED, FAILED], 2, (KNOWN,), OK),
        ([outcome("bad", Verdict.PASS)], 1, (KNOWN,), FINDINGS),  # the defect is repaired: remove the entry
        ([SKIPPED], 1, (), NO_JUDGEMENT),
        ([OPEN], 1, (), NO_JUDGEMENT),
        ([], 0, (), NO_JUDGEMENT),
        ([PASSED], 2, (), NO_JUDGEMENT),  # one was not played
    ],
)
def test_the_exit_code(outcomes: list[Outcome], planned: int, known: tuple[Entry, ...], code: int) -> None:
    assert conclude(RunOptions(), outcomes, Baseline(known), planned) == code


def test_each_requirement_that_is_broken_is_shown_with_the_command_to_run_it_again(
    capsys: pytest.CaptureFixture[str],
) -> None:
    conclude(RunOptions(), [FAILED, PASSED], Baseline(), 2)
    shown = capsys.readouterr().out
    assert "FAIL  ROLLOUT-094 MUST" in shown
    assert "expected 202" in shown
    assert "observed 500" in shown
    assert "rollout-conformance run --case bad" in shown


def test_an_entry_of_the_baseline_that_nothing_needs_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    conclude(RunOptions(), [outcome("bad", Verdict.PASS)], Baseline([KNOWN]), 1)
    assert 'BASELINE  ROLLOUT-094 in "bad" is listed as known (a known defect)' in capsys.readouterr().out


@pytest.mark.parametrize(("outcomes", "code"), [([PASSED, FAILED], FINDINGS), ([PASSED], NO_JUDGEMENT)])
def test_a_run_that_was_ended_early_never_passes(
    outcomes: list[Outcome], code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert conclude(RunOptions(), outcomes, Baseline(), 9, Reason("--max-time 1")) == code
    assert f"Ended early by --max-time 1: {len(outcomes)} of 9 cases had been played." in capsys.readouterr().out
