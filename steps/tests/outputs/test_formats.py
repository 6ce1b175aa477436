"""What a run writes for CI: well-formed, complete, without secrets, and nothing in it means anything to who reads it."""

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote
from xml.etree import ElementTree

import jsonschema_rs
import pytest

from rollout_conformance.steps.baseline_check import Outdated
from rollout_conformance.steps.engine.findings import Judgement, Location, SuiteError, Verdict
from rollout_conformance.steps.outputs import annotations, badge, har, junit, markdown, sarif
from rollout_conformance.steps.outputs.curl import curl
from rollout_conformance.steps.outputs.files import FORMATS, NO_FILES, GitHub, Outputs
from rollout_conformance.steps.paths import ROOT
from rollout_conformance.steps.tests.outputs.runs import ABOUT, EVERY_KIND, KEY, facts, failed, other, trace

# As @microsoft/jest-sarif (MIT) ships it; OASIS publishes the same definitions.
SCHEMA = Path(__file__).with_name("sarif-2.1.0-rtm.5.json")


def properties(element: ElementTree.Element) -> list[tuple[str | None, str | None]]:
    return [(one.get("name"), one.get("value")) for one in element.findall("properties/property")]


def junit_suite() -> ElementTree.Element:
    suite = ElementTree.fromstring(junit.render(EVERY_KIND)).find("testsuite")  # noqa: S314
    assert suite is not None
    return suite


@pytest.mark.parametrize("name", FORMATS)
def test_no_secret_is_written(name: str) -> None:
    assert KEY not in FORMATS[name](EVERY_KIND).decode()


def test_junit_counts_each_case_once() -> None:
    suite = junit_suite()
    counted = {name: suite.get(name) for name in ("tests", "failures", "errors", "skipped")}
    assert counted == {"tests": "7", "failures": "2", "errors": "1", "skipped": "3"}
    assert len(suite.findall("testcase")) == 7
    assert [len(suite.findall(f"testcase/{kind}")) for kind in ("failure", "error", "skipped")] == [2, 1, 3]


def test_junit_names_requirement_level_dialect_file_and_line() -> None:
    found = junit_suite().findall("testcase")[1]
    assert properties(found) == [("requirement", ABOUT), ("level", "must"), ("dialect", "callback")]
    assert (found.get("file"), found.get("line"), found.get("name")) == (
        "/elsewhere/own file.yaml",
        "3",
        "again[callback]",
    )
    failure = found.find("failure")
    assert failure is not None
    assert failure.get("type") == ABOUT
    assert "rerun" in (failure.text or "")


def test_junit_says_what_is_known() -> None:
    skipped = junit_suite().findall("testcase")[3].find("skipped")
    assert skipped is not None
    assert skipped.get("type") == "known"
    assert "because a]]>" in (skipped.get("message") or "")


def test_junit_says_why_a_run_is_no_evidence() -> None:
    outdated = Outdated(Location("x", 3), "ROLLOUT-094 in any case", "is expired")
    root = ElementTree.fromstring(junit.render(facts(failed(), ended="SIGTERM", stale=(outdated,))))  # noqa: S314
    assert root.findtext("testsuite/system-err") == "Ended early by SIGTERM.\nx:3: ROLLOUT-094 in any case is expired"


def test_the_time_of_a_suite_in_junit_is_that_of_the_run_by_the_clock() -> None:
    root = ElementTree.fromstring(junit.render(facts(failed(), failed("again"), seconds=0.3)))  # noqa: S314
    (suite,) = root
    assert (root.get("time"), suite.get("time")) == ("0.300", "0.300")
    assert [one.get("time") for one in suite.findall("testcase")] == ["0.250", "0.250"]


def sarif_run() -> dict[str, Any]:
    run: dict[str, Any] = json.loads(sarif.render(EVERY_KIND))["runs"][0]
    return run


def test_sarif_is_valid() -> None:
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    for definition in schema["definitions"].values():
        definition.get("properties", {}).get("language", {}).pop("pattern", None)  # it is no regular expression
    validator = jsonschema_rs.validator_for(schema)
    assert [str(error) for error in validator.iter_errors(json.loads(sarif.render(EVERY_KIND)))] == []


def test_sarif_has_one_result_a_cause_and_suppresses_what_is_known() -> None:
    first, known = sarif_run()["results"]
    assert (first["ruleId"], first["level"], "suppressions" in first) == (ABOUT, "error", False)
    assert [one["physicalLocation"]["artifactLocation"]["uri"] for one in first["relatedLocations"]] == [
        "file:///elsewhere/own%20file.yaml"
    ]
    assert known["suppressions"][0]["kind"] == "external"


def test_markdown_says_the_verdict_and_nothing_else_than_text() -> None:
    text = markdown.render(EVERY_KIND)
    outside = re.sub(r"(?ms)^(`{3,})text$.*?^\1$", "", text)
    assert "<b>" not in outside
    assert "@all" not in outside
    assert text.count("<details>") == outside.count("<details>") == outside.count("</details>") == 1
    assert "- 7 cases: 1 pass, 1 known, 2 fail, 1 error, 1 skip, 1 inconclusive" in text


def test_annotations_are_one_line_each_and_begin_no_other_command() -> None:
    lines = list(annotations.lines(EVERY_KIND, ROOT))
    assert [line.partition(" ")[0] for line in lines] == ["::error", "::error"]
    assert lines[0].startswith("::error file=features/rollout/history.feature,line=22,title=ROLLOUT-094 MUST::")
    assert lines[1].startswith("::error title=could not judge::")
    assert not any("\n" in line or "\r" in line for line in lines)


def test_what_is_outdated_is_annotated_in_the_baseline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where the run was started in a folder of the checkout."""
    (tmp_path / "gate").mkdir()
    (tmp_path / "gate" / "known.yaml").write_text("[]", encoding="utf-8")
    monkeypatch.chdir(tmp_path / "gate")
    outdated = Outdated(Location("known.yaml", 8), 'ROLLOUT-094 in "a"', "did not fail; remove it.")
    assert list(annotations.lines(facts(stale=(outdated,)), tmp_path)) == [
        '::error file=gate/known.yaml,line=8,title=baseline::known.yaml:8: ROLLOUT-094 in "a" did not fail; remove it.'
    ]


def test_an_annotation_says_why_a_must_is_only_a_warning() -> None:
    capped = replace(failed().judgement.findings[0], cap="should")
    one = replace(other("a", Verdict.PASS), judgement=Judgement(Verdict.PASS, {}, (capped,)))
    about = replace(one, case=replace(one.case, requirements=("ROLLOUT-103",)))
    (line,) = annotations.lines(facts(about), ROOT)
    assert line.startswith("::warning ")
    assert "%0Anote a MUST, seen broken in a case about a SHOULD (ROLLOUT-103). " in line
    (line,) = annotations.lines(facts(one), ROOT)
    assert "%0Anote a MUST, broken in a way that counts as a SHOULD: the harm is smaller%0A" in line


def test_annotations_leave_out_a_file_outside_of_the_checkout(tmp_path: Path) -> None:
    assert "file=" not in next(annotations.lines(EVERY_KIND, tmp_path))


@pytest.mark.parametrize(
    ("run", "text"),
    [
        (facts(failed()), "1 broken"),
        (facts(other("x", Verdict.PASS)), "1 kept"),
        (facts(other("x", Verdict.PASS), ended="SIGTERM"), "not judged in full"),
        (facts(other("x", Verdict.PASS), other("y", Verdict.ERROR)), "not judged in full"),
        (facts(other("x", Verdict.FAIL, known="later")), "0 kept, 1 known"),
        (facts(other("x", Verdict.SKIP)), "nothing judged"),
    ],
)
def test_the_badge_shows_the_verdict(run: Any, text: str) -> None:
    root = ElementTree.fromstring(badge.render(run))  # noqa: S314
    assert root.findtext("{http://www.w3.org/2000/svg}title") == f"rollout conformance: {text}"


def test_har_has_every_exchange() -> None:
    entries = json.loads(har.render(facts(failed())))["log"]["entries"]
    assert [(one["request"]["url"], one["response"]["status"]) for one in entries] == [
        ("http://127.0.0.1:1/rollout?a=1", 500),
        ("http://peer.invalid/v1/chat/completions", 0),
    ]
    assert entries[0]["request"]["queryString"] == [{"name": "a", "value": "1"}]
    assert [one["comment"] for one in entries] == ["bad [sync] #0; ROLLOUT-094", "bad [sync] #1; reset"]


def test_curl_sends_the_request_again() -> None:
    sent, received = trace().exchanges
    line = curl(sent, "http://127.0.0.1:1/")
    assert line == (
        "curl -sS -i -X POST 'http://127.0.0.1:1/rollout?a=1' -H 'authorization: Bearer ***' "
        """--data-binary '{"text": "it'"'"'s"}'"""
    )
    assert curl(received, "cmd:x").endswith(
        "http://peer.invalid/v1/chat/completions  # and a body of 2 bytes, which is no text"
    )


def test_files_are_checked_before_the_run(tmp_path: Path) -> None:
    with pytest.raises(SuiteError, match=r"--junit .*there is no folder"):
        Outputs(junit=tmp_path / "none" / "x.xml").check()
    NO_FILES.check()


def test_all_formats_are_written(tmp_path: Path) -> None:
    Outputs(**{name: tmp_path / name for name in FORMATS}).write(EVERY_KIND)
    assert {file.name for file in tmp_path.iterdir()} == set(FORMATS)


def test_github_takes_no_command_from_what_is_printed(tmp_path: Path) -> None:
    shown: list[str] = []
    github = GitHub.of({"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(tmp_path / "summary.md")})
    with github.without_commands(shown.append):
        shown.append("::error::written by a target")
    stop, _, again = shown
    assert stop == f"::stop-commands::{again.strip(':')}"
    github.write(EVERY_KIND, shown.append)
    assert (tmp_path / "summary.md").read_text(encoding="utf-8").startswith("## rollout conformance of")


def test_elsewhere_github_is_told_nothing(tmp_path: Path) -> None:
    shown: list[str] = []
    github = GitHub.of({"GITHUB_STEP_SUMMARY": str(tmp_path / "summary.md")})
    with github.without_commands(shown.append):
        github.write(EVERY_KIND, shown.append)
    assert shown == []
    assert list(tmp_path.iterdir()) == []


def test_a_uri_leads_back_to_its_file() -> None:
    uri = sarif_run()["results"][0]["relatedLocations"][0]["physicalLocation"]["artifactLocation"]["uri"]
    assert unquote(uri) == "file:///elsewhere/own file.yaml"
