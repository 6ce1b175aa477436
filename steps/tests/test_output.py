"""What a user reads: the block of a finding, the sentence at the end, the report, and no secret in any of them."""

import json
import re
from pathlib import Path

import pytest

from steps.baseline import Baseline, Entry
from steps.engine import html, report
from steps.engine.cases import Case
from steps.engine.failure_text import collapse, finding_block, summary
from steps.engine.findings import Finding, Held, Judgement, Location, SuiteError, Verdict, judge
from steps.engine.outcome import Outcome
from steps.engine.redaction import redacted
from steps.engine.trace import Request, Response, Trace
from steps.running import PROFILES

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


def outcome(name: str, *evidence: Finding | Held) -> Outcome:
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
        "FAIL  ROLLOUT-094 MUST  The server MUST set `tool_call_id` of each tool message to the `id` of the call that",
        "      it answers.",
        '  said   tool_call_id ["call_1"]',
        "  saw    tool_call_id [null]",
        '  case   scenarios/rollout/tools.yaml:9  "one" [sync]',
        '  also   1 more: "two" [sync]',
        "  wire   #0 <- POST /v1/chat/completions  +TIME  => 200",
        '              sent {"api_key":"***","max_tokens":512}',
        "              got {}",
        "  rerun  rollout-conformance run --case one",
    ]


def test_the_last_sentence_is_plain() -> None:
    assert summary([outcome("a", FOUND)], CATALOGUE).endswith(
        "Not fit to train on: 1 requirement(s) broken: ROLLOUT-094."
    )
    good = summary([outcome("a", Held("ROLLOUT-094"))], CATALOGUE)
    assert good.endswith("Nothing required is broken: 1 requirements were judged and kept.")


@pytest.mark.parametrize(
    ("evidence", "verdict"),
    [
        ([], Verdict.INCONCLUSIVE),
        ([Held("ROLLOUT-094")], Verdict.PASS),
        ([Held("ROLLOUT-094"), FOUND], Verdict.FAIL),
        ([FOUND, Held("ROLLOUT-094")], Verdict.FAIL),
        ([Held("ROLLOUT-094"), Finding("ROLLOUT-103", "", "")], Verdict.PASS),  # a SHOULD fails nothing by default
    ],
)
def test_triage(evidence: list[Finding | Held], verdict: Verdict) -> None:
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
    read = report.read(file)
    assert read.footer["verdicts"] == {"fail": 1}
    assert read.results[0]["findings"][0]["exchanges"][0]["request_body"] == '{"api_key": "***", "max_tokens": 512}'
    assert "tk-rc" not in file.read_text()
    assert "ROLLOUT-094" in html.render(read)


def test_an_aborted_report_is_no_evidence(tmp_path: Path) -> None:
    file = tmp_path / "run.ndjson"
    with pytest.raises(KeyboardInterrupt), report.ReportWriter(file, {}, CATALOGUE, [case("a")]):
        raise KeyboardInterrupt
    with pytest.raises(SuiteError, match="the run was aborted with 1 cases not run"):
        report.read(file)


def test_a_report_that_was_cut_off_is_no_evidence(tmp_path: Path) -> None:
    file = tmp_path / "run.ndjson"
    file.write_text(json.dumps({"type": "header"}) + "\n")
    with pytest.raises(SuiteError, match="no footer"):
        report.read(file)


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


def test_a_known_failure_is_excused_and_a_stale_entry_is_not() -> None:
    known = Baseline(
        [
            Entry(case="o*", requirement="ROLLOUT-094", reason="old agent"),
            Entry(requirement="ROLLOUT-001", reason="gone"),
        ]
    )
    assert known.excuses(outcome("one", FOUND)) == "old agent"
    assert known.excuses(outcome("two", FOUND)) is None
    assert [line.partition(" ")[0] for line in known.stale()] == ["ROLLOUT-001"]


def test_a_skip_says_why() -> None:
    skipped = Outcome(case("a"), Judgement(Verdict.SKIP, {}, (), "no tools"), None, 0.0, "")
    assert "skipped 1: no tools" in summary([skipped], CATALOGUE)
