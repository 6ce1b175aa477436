"""What a user reads: the block of a finding, the sentence at the end, the report, and no secret in any of them."""

import importlib.util
import json
import re
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from rollout_conformance.steps.engine import bug_reports, report, report_file
from rollout_conformance.steps.engine.cases import Case
from rollout_conformance.steps.engine.failure_report import collapse, finding_block
from rollout_conformance.steps.engine.findings import (
    Finding,
    Judgement,
    Location,
    Satisfied,
    SuiteError,
    Verdict,
    judge,
)
from rollout_conformance.steps.engine.outcome import Outcome
from rollout_conformance.steps.engine.redaction import redacted
from rollout_conformance.steps.engine.run_summary import summary
from rollout_conformance.steps.engine.trace import Request, Response, Trace
from rollout_conformance.steps.paths import ROOT
from rollout_conformance.steps.profiles import PROFILES
from rollout_conformance.steps.report_page.page import render

CATALOGUE = PROFILES["rollout"].catalogue
LEVELS = {name: entry.level for name, entry in CATALOGUE.items()}
FOUND = Finding(
    "ROLLOUT-094",
    'tool_call_id ["call_1"]',
    "tool_call_id [null]",
    (0,),
    at=Location("scenarios/rollout/tools.yaml", 9),
)


def case(name: str) -> Case:
    return Case(name, "rollout", "sync", ("ROLLOUT-094",), (), Location("scenarios/rollout/tools.yaml", 7))


def outcome(name: str, *evidence: Finding | Satisfied) -> Outcome:
    trace = Trace()
    key = b'{"api_key": "tk-rc-0123abcd-7x-it", "max_tokens": 512}'
    trace.close(trace.open(Request("POST", "/v1/chat/completions", (), key), to_target=False), Response(200, (), b"{}"))
    return Outcome(
        case(name),
        judge(evidence, ("ROLLOUT-094",), LEVELS, "must"),
        trace,
        0.25,
        f"rollout-conformance run --case {name}",
    )


def test_a_finding_says_what_was_demanded_what_was_seen_where_and_how_to_see_it_again() -> None:
    (group,) = collapse([outcome("one", FOUND), outcome("two", FOUND)], CATALOGUE)
    lines = re.sub(r"\+\d+\.\d+ s", "+TIME", finding_block(group)).splitlines()
    assert lines == [
        "FAIL  ROLLOUT-094 MUST  The server MUST set `tool_call_id` of each tool message to the `id` of the tool call",
        "      that it answers.",
        "  why      A result is attributed to another call: the policy learns wrong facts about its tools.",
        f"  seen in the wild: {bug_reports.short_line(FOUND.requirement)}",
        '  expected tool_call_id ["call_1"]',
        "  observed tool_call_id [null]",
        '  case     scenarios/rollout/tools.yaml:9  "one" [sync]',
        '  also     1 more: "two" [sync]',
        "  wire     #0 <- POST /v1/chat/completions  +TIME  => 200",
        '                sent {"api_key":"***","max_tokens":512}',
        "                got {}",
        "  rerun    rollout-conformance run --case one",
    ]


def test_the_last_sentence_is_plain() -> None:
    assert summary([outcome("a", FOUND)], CATALOGUE, closing=PROFILES["rollout"].closing).endswith(
        "Not fit to train on: 1 requirement broken: ROLLOUT-094."
    )
    good = summary([outcome("a", Satisfied("ROLLOUT-094"))], CATALOGUE)
    assert good.endswith("Nothing required is broken: 1 requirement was judged and kept.")
    warned = summary([outcome("a", Finding("ROLLOUT-103", "x", "y"))], CATALOGUE)
    assert warned.endswith("Nothing required is broken, and nothing else was judged: warnings about ROLLOUT-103.")
    assert summary([outcome("a")], CATALOGUE).endswith("No verdict: nothing was judged.")


def test_the_last_sentence_about_a_router_is_not_about_training() -> None:
    assert "train" not in summary([outcome("a", FOUND)], CATALOGUE, closing=PROFILES["router"].closing)


@pytest.mark.parametrize(
    ("evidence", "verdict"),
    [
        ([], Verdict.INCONCLUSIVE),
        ([Satisfied("ROLLOUT-094")], Verdict.PASS),
        ([Satisfied("ROLLOUT-094"), FOUND], Verdict.FAIL),
        ([FOUND, Satisfied("ROLLOUT-094")], Verdict.FAIL),
        ([Satisfied("ROLLOUT-094"), Finding("ROLLOUT-103", "", "")], Verdict.PASS),  # a SHOULD fails nothing by default
    ],
)
def test_triage(evidence: list[Finding | Satisfied], verdict: Verdict) -> None:
    assert judge(evidence, ("ROLLOUT-094",), LEVELS, "must").verdict is verdict


def test_a_report_is_read_back_whole(tmp_path: Path) -> None:
    file = tmp_path / "run.ndjson"
    header = {
        "profile": "rollout",
        "dialects": ["sync"],
        "target": "x",
        "tokenizer": "h",
        "nulls": "compat",
        "level": "must",
    }
    with report.ReportWriter(file, header, CATALOGUE, [case("a")]) as writer:
        writer.result(outcome("a", FOUND))
    read = report_file.read(file)
    assert read.footer is not None
    assert read.footer.verdicts == {"fail": 1}
    (result,) = read.results()
    assert result.findings[0].exchanges[0].request_body == '{"api_key": "***", "max_tokens": 512}'
    assert result.findings[0].reports == bug_reports.references(FOUND.requirement)
    assert "tk-rc" not in file.read_text()
    page = "".join(render(read))
    assert "ROLLOUT-094" in page
    assert "seen in the wild: brainlid/langchain#620, agno-agi/agno#4657" in page
    assert "Aborted" not in page
    assert "tk-rc" not in page


def test_an_aborted_run_is_drawn_with_a_banner(tmp_path: Path) -> None:
    file = tmp_path / "run.ndjson"
    with pytest.raises(KeyboardInterrupt), report.ReportWriter(file, {}, CATALOGUE, [case("a")]):
        raise KeyboardInterrupt
    read = report_file.read(file)
    assert read.aborted == "the run was aborted with 1 cases not run"
    assert "<b>Aborted:</b> the run was aborted with 1 cases not run." in "".join(render(read))


def test_so_is_a_run_that_died_while_it_wrote(tmp_path: Path) -> None:
    file = tmp_path / "run.ndjson"
    file.write_text(json.dumps({"type": "header"}) + "\n" + json.dumps({"type": "case"}) + "\n" + '{"type": "resu')
    read = report_file.read(file)
    assert read.aborted == "the run died after 2 lines of its report, which has no footer"
    assert '<p class="banner"' in "".join(render(read))


HEADER = b'{"type": "header"}\n'
RESULT = (
    b'{"type": "result", "case": "a", "verdict": %s, "reason": "", "seconds": 1, "requirements": [], "findings": []}\n'
)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "is empty"),
        (b"\x89PNG\r\n\x1a\n\x00", "line 1 is not a line of a report: not UTF-8: byte 0x89 at 0"),
        (b"[]\n", "line 1 is not a line of a report: it is no JSON object"),
        (b'"text"\n', "line 1 is not a line of a report: it is no JSON object"),
        (b'{"a": 1}\n', "line 1 is not a line of a report: it has no member `type`"),
        (RESULT % b'"pass"', "line 1 is not a line of a report: a report begins with a header line"),
        (HEADER * 2, "line 2 is not a line of a report: header is out of place here"),
        (HEADER + b"[" * 100_000 + b"\n", "line 2 is not a line of a report: nested deeper than 200 levels"),
        (HEADER + RESULT % b'"splendid"', "line 2 is not a line of a report: verdict: Input should be 'pass', "),
        (HEADER + RESULT % b"[7]", "line 2 is not a line of a report: verdict: Input should be "),
        (HEADER + b'{"type": "result"}\n', "line 2 is not a line of a report: case: Field required"),
        (HEADER + b'{"type": "story"}\n', "line 2 is not a line of a report: Input tag 'story' found using 'type'"),
    ],
)
def test_what_is_no_line_of_a_report_is_named_with_its_reason(tmp_path: Path, data: bytes, why: str) -> None:
    file = tmp_path / "run.ndjson"
    file.write_bytes(data)
    with pytest.raises(SuiteError, match=re.escape(f"{file}: {why}")):
        report_file.read(file)


def test_half_a_character_is_written_and_read_back(tmp_path: Path) -> None:
    file = tmp_path / "run.ndjson"
    with report.ReportWriter(file, {}, CATALOGUE, [case("a")]) as writer:
        writer.result(outcome("a", replace(FOUND, observed="\ud800")))
    read = report_file.read(file)
    assert next(read.results()).findings[0].observed == "\ud800"
    page = "".join(render(read)).encode("utf-8", "backslashreplace").decode()
    assert "<bdi>\\ud800</bdi>" in page
    assert '"observed":"\\\\ud800"' in page


def test_a_report_names_its_format_and_those_of_the_first_are_read_too(tmp_path: Path) -> None:
    new, old = tmp_path / "new.ndjson", tmp_path / "old.ndjson"
    with report.ReportWriter(new, {}, CATALOGUE, [case("a")]) as writer:
        writer.result(outcome("a", FOUND))
    lines = [json.loads(line) for line in new.read_text().splitlines()]
    assert lines[0].pop("format") == 2
    for line in lines:
        for finding in line.get("findings", ()):
            finding["said"], finding["saw"] = finding.pop("expected"), finding.pop("observed")
    old.write_text("".join(json.dumps(line) + "\n" for line in lines))
    pages = []
    for file in (new, old):
        read = report_file.read(file)
        (finding,) = next(read.results()).findings
        assert (finding.expected, finding.observed) == (FOUND.expected, FOUND.observed)
        pages.append("".join(render(read)).replace(str(file), ""))
    assert [(report_file.read(file)).header.format for file in (new, old)] == [2, 1]
    assert pages[0] == pages[1]


def test_a_report_of_a_format_to_come_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "run.ndjson"
    file.write_text('{"type": "header", "format": 3}\n')
    with pytest.raises(SuiteError, match="line 1 is not a line of a report: format: Input should be 1 or 2"):
        report_file.read(file)


def test_of_many_exchanges_and_findings_a_page_has_the_first(tmp_path: Path) -> None:
    file = tmp_path / "run.ndjson"
    ends = {"status": 200, "fault": None, "request_body": "", "response_body": None}
    wire = [{"n": n, "direction": "to target", "method": "GET", "path": f"/{n}", **ends} for n in range(100)]
    one = dict.fromkeys(("expected", "observed", "at", "rerun"), "")
    found = [{"requirement": "ROLLOUT-001", "level": "must", **one, "exchanges": wire}] * 30
    ended = {"verdict": "fail", "reason": "", "seconds": 0.0, "requirements": [], "findings": found}
    line = json.dumps({"type": "result", "case": "a", **ended}) + "\n"
    file.write_text(HEADER.decode() + line * 100)
    page = "".join(render(report_file.read(file)))
    assert "The first 2000 of 3000 findings; the report has them all." in page
    assert "and 92 more exchanges, which only the report has" in page
    assert page.count('<article class="broken"') == 2000


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Authorization: Bearer abc.def", "Authorization: Bearer ***"),
        ('{"got": "{\\"told\\":\\"Bearer abc\\"}"}', '{"got": "{\\"told\\":\\"Bearer ***\\"}"}'),
        ('{"callback_api_key": "x\\"y"}', '{"callback_api_key": "***"}'),
        ('{"max_tokens": 5, "token_ids": [1]}', '{"max_tokens": 5, "token_ids": [1]}'),
    ],
)
def test_secrets_are_masked_and_tokens_are_not(text: str, shown: str) -> None:
    assert redacted(text) == shown


def test_a_skip_says_why() -> None:
    skipped = Outcome(case("a"), Judgement(Verdict.SKIP, {}, (), "no tools"), None, 0.0, "")
    assert "skipped 1: no tools" in summary([skipped], CATALOGUE)


@pytest.mark.parametrize("names", [("expected", "observed"), ("said", "saw")])
def test_the_bench_of_stability_shows_findings_of_both_formats(names: tuple[str, str]) -> None:
    spec = importlib.util.spec_from_file_location("stability", ROOT / "bench" / "stability.py")
    assert spec is not None
    assert spec.loader is not None
    stability = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "stability", stability)  # its dataclasses look themselves up there
        spec.loader.exec_module(stability)
    finding = {"requirement": "ROLLOUT-001", **dict(zip(names, ("a", "b"), strict=True))}
    shown = stability.other({"case": "c", "verdict": "fail", "reason": "", "findings": [finding]})
    assert shown.finding == "ROLLOUT-001: a / b"
