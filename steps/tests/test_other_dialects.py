"""A case that the target's dialects do not have is named, with its dialects, and never passes for one that was judged."""

import pytest

from rollout_conformance.steps import other_dialects
from rollout_conformance.steps.baseline import Baseline
from rollout_conformance.steps.commands.conclusion import conclude
from rollout_conformance.steps.commands.exit_code import NO_JUDGEMENT
from rollout_conformance.steps.engine.cases import Case
from rollout_conformance.steps.engine.findings import Judgement, Location, Verdict
from rollout_conformance.steps.engine.outcome import Outcome
from rollout_conformance.steps.run_setup import RunOptions

TARGET = RunOptions(target="http://127.0.0.1:1")


def cases(name: str, line: int, *dialects: str) -> list[Case]:
    return [Case(name, "rollout", one, ("ROLLOUT-223",), (), Location("my.yaml", line)) for one in dialects]


CANCEL, START = cases("a cancel", 2, "routed", "leased"), cases("a start", 9, "sync", "callback", "routed")


def test_a_case_of_other_dialects_is_named_with_them() -> None:
    first, second = other_dialects.lines([*CANCEL, *START], ["callback"], TARGET)
    assert first == "2 cases are of routed, leased; the target is callback"
    assert second.strip() == 'my.yaml:2 "a cancel"'


def test_a_case_that_is_played_in_one_of_its_dialects_is_not_missing() -> None:
    assert other_dialects.lines([*CANCEL, *START], ["routed"], TARGET) == []


def test_the_option_that_chose_the_dialect_is_named() -> None:
    (told, _) = other_dialects.lines(START, ["leased"], RunOptions(dialect="leased"))
    assert told == "3 cases are of sync, callback, routed; --dialect leased was asked for"


def test_of_many_cases_some_are_named() -> None:
    many = [one for n in range(9) for one in cases(f"case {n}", n, "routed")]
    assert other_dialects.lines(many, ["sync"], TARGET)[-1].strip() == "and 3 more"


@pytest.mark.parametrize(
    "outcomes", [[], [Outcome(START[0], Judgement(Verdict.SKIP, {}, (), "no tools"), None, 0, "")]]
)
def test_nothing_is_called_kept_where_nothing_was_judged(
    outcomes: list[Outcome], capsys: pytest.CaptureFixture[str]
) -> None:
    told = ["2 cases are of routed, leased; the target is callback"]
    assert conclude(RunOptions(), outcomes, Baseline(), len(outcomes), not_played=told) == NO_JUDGEMENT
    shown = capsys.readouterr()
    assert "Nothing required is broken" not in shown.out
    assert told[0] in shown.out
    assert "No verdict: nothing was judged." in shown.out
    assert "Nothing was judged: " in shown.err


@pytest.mark.parametrize(
    ("reason", "told"), [("requires `record`: a record", True), ("the suite has to start it", False)]
)
def test_where_all_is_skipped_for_what_a_card_declares_the_card_is_named(
    reason: str, told: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    outcomes = [Outcome(START[0], Judgement(Verdict.SKIP, {}, (), reason), None, 0, "")]
    assert conclude(RunOptions(), outcomes, Baseline(), 1) == NO_JUDGEMENT
    assert ("declared on its card under `capabilities`" in capsys.readouterr().err) is told
