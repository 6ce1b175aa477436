"""Reports that are compared: two by two, over time, and as a statement."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from rollout_conformance.steps.cli import cli
from rollout_conformance.steps.outputs.history import is_flaky
from rollout_conformance.steps.outputs.runs import told_apart

ABOUT = "ROLLOUT-094"


def report(
    file: Path,
    ends: Mapping[str, str],
    started: str = "2026-01-01",
    seconds: float = 0.1,
    aborted: bool = False,
    **header: str,
) -> Path:
    """A report in which these cases ended so."""
    lines: list[dict[str, Any]] = [
        {
            "type": "header",
            "format": 2,
            "profile": "rollout",
            "target": "http://h:1",
            "started": started,
            "suite": "1",
            "dialects": ["sync"],
            "tokenizer": "t",
            "nulls": "compat",
        }
        | header
    ]
    for name, verdict in ends.items():
        judged = [{"id": ABOUT, "level": "must", "verdict": verdict}] if verdict in ("pass", "fail") else []
        result = {"type": "result", "case": f"x.yaml::{name}", "verdict": verdict, "reason": "", "seconds": seconds}
        lines.append({**result, "requirements": judged, "findings": []})
    footer = {
        "type": "footer",
        "planned": len(ends),
        "executed": len(ends),
        "skipped": 0,
        "not_run": int(aborted),
        "verdicts": {},
    }
    lines.append({**footer, "aborted": aborted})
    file.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return file


def run(*words: object) -> Result:
    return CliRunner().invoke(cli, [str(word) for word in words])


def test_diff_names_what_changed(tmp_path: Path) -> None:
    old = report(
        tmp_path / "old.ndjson",
        {"a[sync]": "pass", "b[sync]": "fail", "c[sync]": "skip", "d[sync]": "pass", "e[sync]": "fail"},
    )
    new = report(
        tmp_path / "new.ndjson",
        {"a[sync]": "fail", "b[sync]": "pass", "c[sync]": "pass", "d[sync]": "skip", "e[sync]": "fail"},
    )
    result = run("diff", old, new)
    blocks = [block.splitlines() for block in result.output.split("\n\n")[1:]]
    assert blocks == [
        ["broken (1)", "  a[sync]"],
        ["fixed (1)", "  b[sync]"],
        ["no longer judged (1)", "  d[sync]"],
        ["newly judged (1)", "  c[sync]"],
        ["1 broken, 1 fixed, 1 newly judged, 1 no longer judged. 1 case broken in both."],
    ]
    assert result.exit_code == 1


def test_diff_names_requirements(tmp_path: Path) -> None:
    good, bad = report(tmp_path / "g", {"a[sync]": "pass"}), report(tmp_path / "b", {"a[sync]": "fail"})
    assert f"BROKEN  {ABOUT}\n" in run("diff", good, bad).output
    fixed = run("diff", bad, good)
    assert f"FIXED   {ABOUT}\n" in fixed.output
    assert fixed.exit_code == 0


def test_diff_of_equal_runs(tmp_path: Path) -> None:
    one = report(tmp_path / "g", {"a[sync]": "pass"})
    result = run("diff", one, one)
    assert (result.exit_code, result.output.splitlines()[-1]) == (0, "No difference.")


@pytest.mark.parametrize(("before", "after", "said"), [(1.0, 2.1, True), (1.0, 1.9, False), (0.1, 0.5, False)])
def test_diff_names_what_is_slower(tmp_path: Path, before: float, after: float, said: bool) -> None:
    old = report(tmp_path / "o", {"a[sync]": "pass"}, seconds=before)
    new = report(tmp_path / "n", {"a[sync]": "pass"}, seconds=after)
    assert ("slower (1)" in run("diff", old, new).output) is said


def test_an_aborted_run_is_no_evidence(tmp_path: Path) -> None:
    old = report(tmp_path / "o", {"a[sync]": "pass"})
    new = report(tmp_path / "n", {"a[sync]": "pass"}, aborted=True)
    result = run("diff", old, new)
    assert result.exit_code == 2
    assert "no evidence: the run was aborted with 1 cases not run" in result.output


def test_profiles_are_not_compared(tmp_path: Path) -> None:
    old = report(tmp_path / "o", {"a[sync]": "pass"})
    result = run("diff", old, report(tmp_path / "n", {}, profile="chat"))
    assert "these reports are of different profiles (chat, rollout)" in str(result.exception)


@pytest.mark.parametrize(
    ("row", "flaky"), [("..FF", False), ("F.", False), (".F.", True), ("F?s F", False), (".FE F .", True)]
)
def test_to_and_fro_is_flaky_a_change_is_not(row: str, flaky: bool) -> None:
    assert is_flaky(row) is flaky


def test_history_is_that_of_each_target(tmp_path: Path) -> None:
    for day, (a, b, c) in enumerate([("pass", "pass", "fail"), ("fail", "pass", "fail"), ("pass", "fail", "pass")], 1):
        ends = {"a[sync]": a, "b[sync]": b, "c[sync]": c}
        report(tmp_path / f"{4 - day}.ndjson", ends, started=f"2026-01-0{day}")
    report(tmp_path / "other.ndjson", {"a[sync]": "pass"}, target="http://h:2")
    (tmp_path / "no.ndjson").write_text("no\n")
    result = run("history", tmp_path)
    first, second = result.output.split("\n\n")[:2]
    assert "left out: " in first
    assert "rollout  http://h:1  3 runs" in first
    assert "    .F.  a[sync]  failed 1 of 3" in first
    assert "    ..F  b[sync]  since 2026-01-03" in first
    assert "    FF.  c[sync]  since 2026-01-03" in first
    assert "no case failed in any of them" in second


def test_history_of_nothing_is_refused(tmp_path: Path) -> None:
    assert "there is no report" in str(run("history", tmp_path).exception)


def stated(tmp_path: Path, *reports: Path) -> Any:
    file = tmp_path / "statement.json"
    assert run("statement", *reports, "-o", file).exit_code == 0
    return json.loads(file.read_text(encoding="utf-8"))


def test_a_statement_has_the_worst_verdict_of_each_dialect(tmp_path: Path) -> None:
    ends = {"a[sync]": "pass", "b[sync]": "fail", "c[callback]": "pass"}
    (target,) = stated(tmp_path, report(tmp_path / "r", ends))["targets"]
    assert target["requirements"] == {ABOUT: {"level": "must", "dialects": {"callback": "kept", "sync": "broken"}}}
    assert target["levels"]["must"] == {"kept": 0, "broken": 1, "not judged": 0}


def test_a_statement_is_bound_to_its_reports(tmp_path: Path) -> None:
    file = report(tmp_path / "r", {"a[sync]": "fail"})
    stated(tmp_path, file)
    assert run("statement", file, "--check", tmp_path / "statement.json").exit_code == 0
    report(file, {"a[sync]": "pass"})
    result = run("statement", file, "--check", tmp_path / "statement.json")
    assert result.exit_code == 1
    assert "its SHA-256 is not in the statement" in result.output


def test_a_statement_that_was_edited_is_noticed(tmp_path: Path) -> None:
    file = report(tmp_path / "r", {"a[sync]": "fail"})
    edited = stated(tmp_path, file)
    edited["targets"][0]["requirements"][ABOUT]["dialects"]["sync"] = "kept"
    (tmp_path / "statement.json").write_text(json.dumps(edited))
    result = run("statement", file, "--check", tmp_path / "statement.json")
    assert (result.exit_code, "requirements differs" in result.output) == (1, True)


@pytest.mark.parametrize(
    "text", ["[]", "{}", '{"kind": "x"}', '{"kind": "rollout-conformance statement", "format": 1, "targets": [7]}']
)
def test_what_is_no_statement_is_noticed(tmp_path: Path, text: str) -> None:
    (tmp_path / "statement.json").write_text(text)
    result = run("statement", report(tmp_path / "r", {"a[sync]": "fail"}), "--check", tmp_path / "statement.json")
    assert result.exit_code == 1


def test_targets_stand_side_by_side(tmp_path: Path) -> None:
    one = report(tmp_path / "1", {"a[sync]": "fail", "b[callback]": "pass"}, target="http://h:1|x")
    two = report(tmp_path / "2", {"a[sync]": "pass"}, target="http://h:2")
    assert run("statement", one, two, "--table", tmp_path / "t.md").exit_code == 0
    assert (tmp_path / "t.md").read_text().splitlines() == [
        r"| | http://h:1\|x | http://h:2 |",
        "| --- | --- | --- |",
        "| MUST | 1 broken | 1 kept |",
        "| SHOULD |  |  |",
        "| MAY |  |  |",
        f"| {ABOUT} | broken (sync) | kept |",
    ]


def test_a_difference_of_the_suite_is_not_taken_for_one_of_the_target(tmp_path: Path) -> None:
    old = report(tmp_path / "old.ndjson", {"a[sync]": "pass"})
    new = report(tmp_path / "new.ndjson", {"a[sync]": "pass"}, suite="2", tokenizer="u")
    notes = [line for line in run("diff", old, new).output.splitlines() if line.startswith("NOTE")]
    assert notes == [
        "NOTE  suite 1, then 2: what differs may not be the target",
        "NOTE  tokenizer t, then u: what differs may not be the target",
    ]
    assert "NOTE" not in run("diff", old, old).output


def test_two_runs_of_a_target_are_told_apart_by_their_reports(tmp_path: Path) -> None:
    first, second = (report(tmp_path / f"{name}.ndjson", {"a[sync]": "pass"}) for name in ("monday", "friday"))
    other = report(tmp_path / "other.ndjson", {"a[sync]": "fail"}, target="http://other")
    table, page = tmp_path / "t.md", tmp_path / "p.html"
    result = run("statement", first, second, other, "--table", table, "--html", page)
    names = [line.partition("  ")[0] for line in result.output.splitlines()]
    assert names == ["http://h:1 (monday.ndjson)", "http://h:1 (friday.ndjson)", "http://other"]
    header = table.read_text().splitlines()[0]
    assert "(monday.ndjson)" in header
    assert "(other.ndjson)" not in header
    assert "http://h:1 (friday.ndjson)" in page.read_text()
    assert told_apart([("a", "r"), ("a", "r"), ("b", "r")]) == ["a (r) #1", "a (r) #2", "b"]


def test_a_run_that_judged_no_must_says_so(tmp_path: Path) -> None:
    silent = report(tmp_path / "a.ndjson", {"a[sync]": "skip"}, aborted=True)
    assert run("statement", silent).output == "http://h:1  no evidence: no MUST was judged\n"
