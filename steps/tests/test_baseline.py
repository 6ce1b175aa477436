"""Known failures: they stay in the counts, they excuse what they name and nothing else, and a list that nobody keeps is red."""

from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from rollout_conformance.steps import baseline_file
from rollout_conformance.steps.baseline import Baseline, Known
from rollout_conformance.steps.baseline_check import Scope, stale
from rollout_conformance.steps.baseline_silence import not_judged
from rollout_conformance.steps.commands.conclusion import conclude
from rollout_conformance.steps.commands.exit_code import FINDINGS, NO_JUDGEMENT, OK
from rollout_conformance.steps.commands.play_options import PlayOptions
from rollout_conformance.steps.engine.cases import Case
from rollout_conformance.steps.engine.findings import Finding, Judgement, Location, SuiteError, Verdict
from rollout_conformance.steps.engine.outcome import Outcome
from rollout_conformance.steps.engine.report import ReportWriter
from rollout_conformance.steps.engine.run_summary import totals
from rollout_conformance.steps.paths import ROOT
from rollout_conformance.steps.run_setup import RunOptions
from rollout_conformance.steps.tests.baseline_outcomes import CATALOGUE, MUST, OTHER, SHOULD, case, entry, outcome, told


def test_known_failures_and_warnings_are_counted_by_their_own_words() -> None:
    known = Baseline([entry(case="known*")])
    outcomes = [outcome("a"), outcome("b"), outcome("c"), outcome("known 1", MUST), outcome("known 2", MUST)]
    assert totals([known.marked(one) for one in [*outcomes, outcome("d", SHOULD)]]) == (
        "6 cases: 3 pass, 1 warning, 2 known"
    )


def test_a_row_of_examples_is_named_as_it_is_shown() -> None:
    name = 'Arguments: floats[floats-{"a": 5.0}]'
    assert Baseline([entry(case=name)]).marked(outcome(name, MUST)).judgement.known == "old agent"
    assert Baseline([entry(case="Arguments: *[*-*]")]).marked(outcome(name, MUST)).judgement.known == "old agent"
    assert Baseline([entry(case="Arguments")]).marked(outcome(name, MUST)).judgement.known == ""


def test_of_a_case_that_is_known_in_part_only_the_rest_is_broken(capsys: pytest.CaptureFixture[str]) -> None:
    code = conclude(RunOptions(), [outcome("a", MUST, OTHER)], Baseline([entry()]), 1)
    shown = capsys.readouterr().out
    assert code == FINDINGS
    assert "FAIL  ROLLOUT-049" in shown
    assert "FAIL  ROLLOUT-094" not in shown
    assert "known ROLLOUT-094 in 1 case: old agent" in shown
    assert "1 requirement broken: ROLLOUT-049." in shown


def test_a_weaker_finding_that_is_not_listed_fails_no_known_case(capsys: pytest.CaptureFixture[str]) -> None:
    assert conclude(RunOptions(), [outcome("a", MUST, SHOULD), outcome("b")], Baseline([entry()]), 2) == OK
    shown = capsys.readouterr().out
    assert "2 cases: 1 pass, 1 known" in shown
    assert "WARN  ROLLOUT-103" in shown
    assert "Nothing new is broken: 0 requirements were judged and kept, 1 known to be broken: ROLLOUT-094." in shown


def test_the_report_says_what_is_known_and_the_verdict_stays(tmp_path: Path) -> None:
    file = tmp_path / "run.ndjson"
    with ReportWriter(file, {}, CATALOGUE, [case("a")]) as writer:
        writer.result(Baseline([entry()]).marked(outcome("a", MUST)))
    assert '"verdict": "fail", "reason": "why", "known": "old agent"' in file.read_text()


REMOVE = 'ROLLOUT-094 in "a" is listed as known (old agent) but did not fail; remove it.'


@pytest.mark.parametrize(
    ("outcomes", "every", "expected"),
    [
        ([outcome("a")], None, [REMOVE]),
        ([outcome("a", MUST)], None, []),
        ([outcome("a", verdict=Verdict.SKIP)], None, []),  # not judged in this run
        ([outcome("a", verdict=Verdict.ERROR)], None, []),
        ([outcome("b")], [case("a"), case("b")], []),  # not selected in this run
        ([outcome("a")], [case("a"), case("a", dialect="callback")], []),  # may fail still in what was not played
        ([outcome("b")], [case("b")], ['ROLLOUT-094 in "a" names a case that does not exist.']),
    ],
)
def test_an_entry_is_stale_only_where_everything_that_it_names_was_judged(
    outcomes: list[Outcome], every: list[Case] | None, expected: list[str]
) -> None:
    assert told(Baseline([entry(case="a")]), outcomes, every) == expected


OPEN = "  baseline: 1 entry was not judged in full by this run and may be outdated:"
LEFT = f'{MUST} in "a": '


def resting(name: str) -> Outcome:
    """A case whose end is a breach that does not fail it: what it demands was not judged."""
    one = outcome(name, SHOULD, about=OTHER)
    return replace(one, judgement=replace(one.judgement, reason="it ended with 429", unjudged=2))


@pytest.mark.parametrize(
    ("members", "outcomes", "expected"),
    [
        ({"case": "a"}, [outcome("b")], LEFT + "not played by this run"),
        ({"case": "a"}, [outcome("a", verdict=Verdict.ERROR)], LEFT + "could not be judged: why"),
        ({"case": "a"}, [outcome("a", verdict=Verdict.SKIP)], LEFT + "skipped: why"),
        (
            {"case": "a"},
            [outcome("a", OTHER, about=OTHER)],
            f"{LEFT}broke {OTHER}, and this requirement was not judged in full",
        ),
        ({"case": "a"}, [resting("a")], f"{LEFT}broke {SHOULD}, and this requirement was not judged in full"),
        (
            {"case": "*"},
            [outcome("a")],
            f"{MUST} in any case: what was played of its cases passed; the others were not played",
        ),
        ({"case": "a"}, [outcome("a", MUST)], ""),  # it failed: the entry is needed
        ({"case": "a"}, [outcome("a")], ""),  # red, see above
        ({"case": "a", "flaky": 2}, [outcome("a")], ""),
        ({"case": "a", "flaky": 2}, [outcome("b")], LEFT + "not played by this run"),
    ],
)
def test_an_entry_that_was_not_judged_is_named_with_its_case_and_the_reason(
    members: dict[str, Any], outcomes: list[Outcome], expected: str
) -> None:
    known = Baseline([entry(**members)])
    marked = [known.marked(one) for one in outcomes]
    scope = Scope(lambda: [case("a"), case("b")])
    found = not_judged(known, marked, dict(stale(known, marked, scope)))
    assert found == ([OPEN, f"    {expected}"] if expected else [])


def test_entries_whose_cases_were_not_played_are_one_line() -> None:
    known = Baseline([entry(cases=["a", "b"]), entry(OTHER, case="c"), entry(SHOULD, case="d")])
    assert not_judged(known, [outcome("d", verdict=Verdict.SKIP)], ()) == [
        "  baseline: 4 entries were not judged in full by this run and may be outdated:",
        f"    {OTHER}, {MUST}: not played by this run",
        f'    {SHOULD} in "d": skipped: why',
    ]


def test_entries_that_were_not_judged_fail_nothing_and_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    known = Baseline([entry(case="a"), entry("ROUTER-001")])
    assert conclude(RunOptions(), [outcome("b")], known, 1, scope=Scope(lambda: [case("a"), case("b")])) == OK
    assert OPEN in capsys.readouterr().out.splitlines()


def test_an_entry_of_a_case_about_another_requirement_is_stale_where_the_case_passed_as_a_whole(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    known, file = Baseline([entry(case="a")]), tmp_path / "known.yaml"
    every = [case("a", OTHER), case("b", OTHER)]
    passed = outcome("a", about=OTHER)
    assert told(known, [passed], every) == [REMOVE]
    assert told(known, [passed, resting("a")], every) == []
    conclude(RunOptions(), [passed], known, 1, scope=Scope(lambda: every), how=PlayOptions(written_file=file))
    assert baseline_file.load(file).known == []
    assert (
        '  dropped  ROLLOUT-094 in "a", which is listed as known (old agent) but did not fail.'
        in capsys.readouterr().out
    )


def test_what_is_stale_of_one_requirement_is_one_line() -> None:
    names = ["a", "b", "c", "d", "e"]
    known = Baseline(
        [
            Known(entry(cases=names), one, Location("known.yaml", n))
            for n, one in zip((4, 5, 6, 9, 11), names, strict=True)
        ]
    )
    assert told(known, [*map(outcome, names[:-1]), outcome("e", MUST)]) == [
        'known.yaml:4: ROLLOUT-094 in 4 cases ("a", "b", "c" and 1 more; lines 4-6, 9) is listed as known (old agent) but did not fail; remove it.'
    ]


def capped(name: str) -> Outcome:
    """A case about a SHOULD in which a MUST was broken: it counts as a SHOULD there."""
    one = outcome(name, about=SHOULD)
    found = Finding(MUST, "202", "500", cap="should")
    return replace(one, judgement=Judgement(Verdict.PASS, {MUST: Verdict.FAIL, SHOULD: Verdict.PASS}, (found,)))


def test_what_is_listed_is_listed_for_the_cases_in_which_it_is_a_warning_as_well(tmp_path: Path) -> None:
    file, outcomes = tmp_path / "known.yaml", [outcome("a", MUST), capped("b")]
    baseline_file.write(file, Baseline(), outcomes, (), "http://h")
    known = baseline_file.load(file)
    assert [one.pattern for one in known.known] == ["x.feature::a[sync]", "x.feature::b[sync]"]
    assert all(finding.known for one in outcomes for finding in known.marked(one).judgement.findings)
    later = [*map(known.marked, outcomes), capped("new")]
    baseline_file.write(file, known, later, (), "http://h")
    assert [one.pattern for one in baseline_file.load(file).known] == [
        f"x.feature::{n}[sync]" for n in ("a", "b", "new")
    ]


def test_what_is_a_warning_only_is_not_listed(tmp_path: Path) -> None:
    file = tmp_path / "known.yaml"
    assert baseline_file.write(file, Baseline(), [capped("b"), outcome("c", OTHER)], (), "http://h") == 1
    assert [one.requirement for one in baseline_file.load(file).known] == [OTHER]


def test_a_must_that_is_a_warning_says_why(capsys: pytest.CaptureFixture[str]) -> None:
    assert conclude(RunOptions(), [capped("b"), outcome("c", OTHER)], Baseline(), 2) == FINDINGS
    shown = " ".join(capsys.readouterr().out.split())
    assert "WARN ROLLOUT-094 MUST (1 case, counts as a SHOULD there)" in shown
    assert (
        "note a MUST, seen broken in a case about a SHOULD (ROLLOUT-103). Such a case may demand more than servers owe"
        in shown
    )


def test_a_name_with_a_slip_is_told_what_is_near_it() -> None:
    known = Baseline([entry(case="argument are kept")])
    assert told(known, [outcome("Arguments are kept")]) == [
        'ROLLOUT-094 in "argument are kept" names a case that does not exist. Near it: "Arguments are kept", "x.feature::Arguments are kept[sync]"'
    ]


def test_each_of_several_names_is_checked() -> None:
    known = Baseline([entry(cases=["a", "b"])])
    assert told(known, [outcome("a", MUST), outcome("b")]) == [REMOVE.replace('"a"', '"b"')]


def test_an_entry_of_another_profile_is_of_no_interest_to_this_run() -> None:
    assert told(Baseline([entry("ROUTER-001")]), [outcome("a")]) == []


def test_an_entry_that_is_expired_excuses_nothing_and_is_red() -> None:
    known = Baseline([entry(case="a", until="2026-11-27")], today=date(2026, 11, 28))
    assert not known.marked(outcome("a", MUST)).judgement.known
    assert told(known, [outcome("a", MUST)]) == [
        'ROLLOUT-094 in "a" is expired since 2026-11-27 (old agent): it excuses nothing. Repair it, or give it a new day.'
    ]
    assert Baseline([entry(until="2026-11-28")], today=date(2026, 11, 28)).marked(outcome("a", MUST)).judgement.known


WRITTEN = """\
# Known failures of http://h, written by `rollout-conformance run --write-baseline` on 2026-11-28.
# They are played and counted, and do not fail a run. Write the reason of each; docs/baselines.md has the format.

# MUST: The server MUST set `tool_call_id` of each tool message to the `id` of the tool call that it answers.
- requirement: ROLLOUT-094
  reason: "not explained yet; failed on 2026-11-28"
  cases:
  - "x.feature::no: 'a\\" \\\\ é[1e3][sync]"
  - "x.feature::two[sync]"
"""


def test_what_fails_is_written_and_is_known_the_next_time(tmp_path: Path) -> None:
    file = tmp_path / "known.yaml"
    outcomes = [outcome("no: 'a\" \\ é[1e3]", MUST), outcome("two", MUST, SHOULD), outcome("three", SHOULD)]
    today = date(2026, 11, 28)
    assert baseline_file.write(file, Baseline(today=today), outcomes, (), "http://h") == 1
    assert file.read_text(encoding="utf-8") == WRITTEN
    again = baseline_file.load(file)
    assert [again.marked(one).judgement.failed for one in outcomes] == [False, False, False]
    assert told(again, outcomes) == []


def test_names_that_no_terminal_shows_are_written_and_read_back(tmp_path: Path) -> None:
    file, one = tmp_path / "known.yaml", outcome("a\x7f\u2028\x1b[31m b", MUST)
    baseline_file.write(file, Baseline(), [one], (), "x\x1b")
    assert baseline_file.load(file).marked(one).judgement.known


def test_writing_keeps_the_reasons_and_drops_what_is_stale(tmp_path: Path) -> None:
    file = tmp_path / "known.yaml"
    outcomes = [outcome("a", MUST), outcome("b"), outcome("c", MUST)]
    known = Baseline([entry(cases=["a", "b", "elsewhere"], until="2099-01-01"), entry(OTHER, flaky=3)])
    scope = [case("a"), case("b"), case("c"), case("elsewhere")]
    marked = [known.marked(one) for one in outcomes]
    baseline_file.write(file, known, marked, dict(stale(known, marked, Scope(lambda: scope))), "http://h")
    kept = baseline_file.load(file).known
    assert [(str(one), one.entry.reason[:9], one.entry.flaky) for one in kept] == [
        ("ROLLOUT-049 in any case", "old agent", 3),
        ('ROLLOUT-094 in "a"', "old agent", None),
        ('ROLLOUT-094 in "elsewhere"', "old agent", None),
        ('ROLLOUT-094 in "x.feature::c[sync]"', "not expla", None),
    ]
    assert kept[1].entry.until == date(2099, 1, 1)


def test_a_run_that_writes_its_baseline_passes_unless_something_could_not_be_judged(tmp_path: Path) -> None:
    file = tmp_path / "known.yaml"
    found = [outcome("a", MUST)]
    assert conclude(RunOptions(), found, Baseline(), 1, how=PlayOptions(written_file=file)) == OK
    assert conclude(RunOptions(), found, baseline_file.load(file), 1) == OK
    broken = [*found, outcome("b", verdict=Verdict.ERROR)]
    assert conclude(RunOptions(), broken, Baseline(), 2, how=PlayOptions(written_file=file)) == NO_JUDGEMENT


def test_nothing_is_written_where_nothing_was_judged(tmp_path: Path) -> None:
    file = tmp_path / "known.yaml"
    skipped = replace(outcome("a"), judgement=Judgement(Verdict.SKIP, {}, (), "no tools"))
    assert conclude(RunOptions(), [skipped], Baseline(), 1, how=PlayOptions(written_file=file)) == NO_JUDGEMENT
    assert not file.exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("known: []", ":1:1: a baseline is a list of entries, such as\n\n- requirement: ROLLOUT-049"),
        ("- ROLLOUT-049", ":1:3: 0: an entry has the members requirement and reason, not only 'ROLLOUT-049'"),
        ("- {}", ":1:3: 0.requirement: the key 'requirement' is missing"),
        ("- {requirement: ROLLOUT-049}", ":1:3: 0.reason: the key 'reason' is missing"),
        ("- {requirement: ROLLOUT-049, reason: ''}", ":1:30: 0.reason: this is empty"),
        ("- {requirement: ROLLOUT-999, reason: x}", "there is no requirement 'ROLLOUT-999'. Near it: ROLLOUT-"),
        ("- {requirement: x, reason: x}", "there is no requirement 'x'. Ids look like "),
        ("- {requirement: ROLLOUT-049, reason: x, unil: 2027-01-01}", "unknown key 'unil'. Did you mean until?"),
        ("- {requirement: ROLLOUT-049, reason: x, until: soon}", ":1:41: 0.until: this is a day, as 2027-01-31"),
        ("- {requirement: ROLLOUT-049, reason: x, flaky: 0}", ":1:41: 0.flaky: this is at least 1"),
        ("- {requirement: ROLLOUT-049, reason: x, flaky: yes}", ":1:41: 0.flaky: this is a whole number"),
        (
            "- {requirement: ROLLOUT-049, reason: x, case: a, cases: [b]}",
            "`case` is one name and `cases` a list of them: write one of the two",
        ),
        ("- {requirement: ROLLOUT-049, reason: x, cases: a}", "0.cases: this is a list"),
    ],
)
def test_a_mistake_in_the_file_is_named_with_its_place(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "known.yaml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(SuiteError) as error:
        baseline_file.load(file)
    assert str(error.value).startswith(str(file))
    assert message in str(error.value)


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    file = tmp_path / "known.yaml"
    file.write_text("- {}\n- {requirement: ROLLOUT-999, reason: x}\n- 7\n", encoding="utf-8")
    with pytest.raises(SuiteError) as error:
        baseline_file.load(file)
    assert [f":{n}:" in str(error.value) for n in (1, 2, 3)] == [True, True, True]


def test_the_example_of_the_documentation_is_read(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "baselines.md").read_text(encoding="utf-8")
    file = tmp_path / "known.yaml"
    file.write_text(page.partition("```yaml\n")[2].partition("```")[0], encoding="utf-8")
    assert len(baseline_file.load(file).known) == 3
