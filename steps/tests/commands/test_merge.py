"""Parts of a run are played apart and joined to the report of the whole."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from rollout_conformance.steps.cli import cli
from rollout_conformance.steps.engine import report_file
from rollout_conformance.steps.engine.cases import Case
from rollout_conformance.steps.engine.findings import Location, SuiteError, Verdict
from rollout_conformance.steps.sharding import Shard

HEADER = {"type": "header", "format": 2, "suite": "1", "profile": "chat", "target": "http://a", "started": "2026-01-02"}


def result(case: str, verdict: str) -> dict[str, object]:
    required = [{"id": "CHAT-001", "level": "must", "verdict": verdict}]
    return {
        "type": "result",
        "case": case,
        "verdict": verdict,
        "reason": "",
        "seconds": 0.1,
        "requirements": required,
        "findings": [],
    }


def report(file: Path, *results: dict[str, object], ended: bool = True, **header: object) -> Path:
    verdicts = {str(one["verdict"]): 1 for one in results}
    footer = {
        "type": "footer",
        "planned": len(results),
        "executed": len(results),
        "skipped": 0,
        "not_run": 0,
        "verdicts": verdicts,
        "aborted": False,
    }
    lines = [HEADER | header, *results, *([footer] if ended else [])]
    file.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return file


def run(*words: object) -> tuple[int, str]:
    done = CliRunner().invoke(cli, [*map(str, words)])
    return done.exit_code, done.output + str(done.exception or "")


@pytest.fixture
def parts(tmp_path: Path) -> tuple[Path, Path]:
    one = report(tmp_path / "one.ndjson", result("a", "pass"), result("b", "fail"))
    return one, report(tmp_path / "two.ndjson", result("c", "pass"), target="http://b", started="2026-01-01")


def test_the_report_of_the_whole(parts: tuple[Path, Path], tmp_path: Path) -> None:
    code, out = run("merge", *parts, "-o", tmp_path / "all.ndjson")
    assert (code, out) == (0, f"{tmp_path}/all.ndjson: 3 of 3 cases executed, of 2 reports\n")
    whole = report_file.read(tmp_path / "all.ndjson")
    assert [one.case for one in whole.results()] == ["a", "b", "c"]
    assert whole.header.target == "http://a, http://b"
    assert whole.header.started == "2026-01-01"
    assert whole.worst == {"CHAT-001": ("must", Verdict.FAIL)}
    assert whole.footer is not None
    assert (whole.footer.planned, whole.footer.verdicts, whole.footer.aborted) == (3, {"pass": 2, "fail": 1}, False)


def test_with_an_aborted_part_the_whole_is_aborted(parts: tuple[Path, Path], tmp_path: Path) -> None:
    cut = report(tmp_path / "cut.ndjson", result("d", "pass"), ended=False)
    assert run("merge", *parts, cut, "-o", tmp_path / "all.ndjson")[0] == 0
    assert report_file.read(tmp_path / "all.ndjson").aborted is not None


def test_a_case_in_two_parts_is_refused(parts: tuple[Path, Path], tmp_path: Path) -> None:
    code, out = run("merge", parts[0], report(tmp_path / "x", result("b", "pass")), "-o", tmp_path / "all.ndjson")
    assert code != 0
    assert "the case 'b' is in" in out
    assert not (tmp_path / "all.ndjson").exists()


def test_parts_of_other_profiles_are_refused(parts: tuple[Path, Path], tmp_path: Path) -> None:
    other = report(tmp_path / "x", result("d", "pass"), profile="router")
    assert "has profile 'router', and" in run("merge", parts[0], other, "-o", tmp_path / "all.ndjson")[1]


def test_no_part_is_overwritten(parts: tuple[Path, Path]) -> None:
    before = parts[0].read_bytes()
    assert "is one of the reports" in run("merge", *parts, "-o", parts[0])[1]
    assert parts[0].read_bytes() == before


def cases(count: int) -> list[Case]:
    return [Case(str(n), "rollout", "sync", ("ROLLOUT-001",), (), Location("x.yaml", n)) for n in range(count)]


@pytest.mark.parametrize("count", [1, 2, 3, 10])
def test_shards_have_no_case_in_common_and_together_all(count: int) -> None:
    whole = cases(7)
    found = [case.name for number in range(count) for case in Shard(number + 1, count).of(whole)]
    assert sorted(found) == [case.name for case in whole]


@pytest.mark.parametrize("text", ["0/2", "3/2", "1", "a/b", "1/0", "-1/2", "1/2/3", ""])
def test_a_shard_that_is_none(text: str) -> None:
    with pytest.raises(SuiteError, match=r"write I/N with I from 1 to N"):
        Shard.read(text)
