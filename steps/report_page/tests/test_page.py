"""The page as text: what is in it, what is not, and what a hostile report can do to it."""

import base64
import json
import re
import zlib
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from rollout_conformance.steps.engine import report_file
from rollout_conformance.steps.profiles import PROFILES
from rollout_conformance.steps.report_page import overview
from rollout_conformance.steps.report_page.beside import beside
from rollout_conformance.steps.report_page.page import Sources, prose, render
from rollout_conformance.steps.report_page.tests import reports

PROFILE = PROFILES["rollout"]
SOURCES = Sources(PROFILE.catalogue, PROFILE.closing)
HOSTILE = (
    "<script>alert(1)</script>",
    "</script><script>alert(1)</script>",
    "<!--<script>",
    "</noscript><img src=x onerror=alert(1)>",
    "\u202eevil\u2066",
    "\u2028\u2029",
    "{{ 7 * 7 }}{% raw %}",
    "a" * 1_000_000,
    "\x00\x1b[31m\x7f",
    "\U0001f4a9 \u0645\u0631\u062d\u0628\u0627",
    "__proto__",
    "javascript:alert(1)",
)


class Elements(HTMLParser):
    """The start tags of a page and the text of its data elements."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.data: dict[str, str] = {}
        self.into: str | None = None

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        given = dict(attributes)
        self.tags.append((tag, given))
        self.into = given.get("id") if tag == "script" and given.get("type") else None

    def handle_data(self, data: str) -> None:
        if self.into is not None:
            self.data[self.into] = self.data.get(self.into, "") + data

    def handle_endtag(self, tag: str) -> None:
        self.into = None


def page_of(file: Path, sources: Sources = SOURCES) -> str:
    return "".join(render(report_file.read(file), sources))


def elements(page: str) -> Elements:
    found = Elements()
    found.feed(page)
    return found


def case_in(found: Elements, n: int) -> Any:
    """The data of a case."""
    return json.loads(zlib.decompress(base64.b64decode(found.data[f"data-{n}"])))


def test_the_verdict_comes_first_and_each_broken_requirement_with_its_sentence_and_why(tmp_path: Path) -> None:
    page = page_of(reports.ordinary(tmp_path / "run.ndjson"))
    assert "<h1>Not fit to train on: 1 requirement is broken.</h1>" in page
    entry = PROFILE.catalogue["ROLLOUT-094"]
    assert entry.why is not None
    where = [
        page.index(text) for text in ("<h1>", 'id="ROLLOUT-094"', str(prose(entry.sentence)), str(prose(entry.why)))
    ]
    assert where == sorted(where)
    assert "the target has no tools" in page
    assert 'href="#cases?cause=' not in page.split('id="ROLLOUT-013"')[0].split('id="ROLLOUT-094"')[1]


def test_a_requirement_that_no_case_judged_is_listed_with_the_reason(tmp_path: Path) -> None:
    page = page_of(reports.ordinary(tmp_path / "run.ndjson"))
    unjudged = page.split('id="unjudged"')[1].split('id="environment"')[0]
    assert "ROLLOUT-002" in unjudged
    assert "no case of this run is about it" in unjudged
    assert ">ROLLOUT-001<" not in unjudged


def test_the_same_cause_in_many_cases_is_one_entry_with_its_count(tmp_path: Path) -> None:
    cases = [reports.case(f"case {n}") for n in range(900)]
    results = [
        reports.result(one["id"], "fail", [reports.cited(f'"call_{n}"', [1])] * 2) for n, one in enumerate(cases)
    ]
    page = page_of(reports.written(tmp_path / "run.ndjson", results, cases))
    visible = page.split("<noscript>")[0]
    assert visible.count('<li class="cause">') == 1
    assert '<b class="count">900 cases</b>' in visible


def test_known_failures_do_not_accuse(tmp_path: Path) -> None:
    known = {**reports.cited("null", [1]), "known": "issue 7"}
    cases = [reports.case("a"), reports.case("b")]
    results = [reports.result(cases[0]["id"], "fail", [known], known="issue 7"), reports.result(cases[1]["id"], "pass")]
    page = page_of(reports.written(tmp_path / "run.ndjson", results, cases))
    assert "<h1>Nothing new is broken: 1 requirement kept, 1 known to be broken.</h1>" in page


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_no_text_of_a_report_becomes_markup(tmp_path: Path, text: str) -> None:
    plain = elements(page_of(reports.ordinary(tmp_path / "plain.ndjson")))
    case = {**reports.case(text, text), "at": text, "requirements": [text]}
    found = {
        **reports.cited(text, [1]),
        "requirement": text,
        "rerun": text,
        "at": text,
        "reports": [text],
        "expected": text,
    }
    hostile = reports.result(text, "fail", [found], reason=text, trace=reports.trace(text))
    file = reports.written(
        tmp_path / "run.ndjson", [hostile], [case], target=text, dialects=[text], environment={text: text}
    )
    page = page_of(file)
    seen = elements(page)
    assert {tag for tag, _ in seen.tags} <= {tag for tag, _ in plain.tags} | {"noscript", "pre", "details", "summary"}
    assert sum(tag == "script" for tag, _ in seen.tags) == 5
    assert all(not name.startswith("on") for _, given in seen.tags for name in given)
    assert all((given.get("href") or "#").startswith("#") for _, given in seen.tags)
    assert case_in(seen, 0)["findings"][0]["observed"].endswith(text)
    assert not re.search("[<>&\u2028\u2029]", seen.data["index"])


def test_the_policy_allows_the_two_scripts_and_the_style_and_no_network(tmp_path: Path) -> None:
    seen = elements(page_of(reports.ordinary(tmp_path / "run.ndjson")))
    (policy,) = [given["content"] for tag, given in seen.tags if given.get("http-equiv") == "Content-Security-Policy"]
    assert policy is not None
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert policy.count("sha256-") == 3
    assert "unsafe" not in policy
    assert "http" not in policy


def test_a_page_loads_nothing(tmp_path: Path) -> None:
    seen = elements(page_of(reports.ordinary(tmp_path / "run.ndjson")))
    assert not [tag for tag, _ in seen.tags if tag in ("link", "img", "iframe", "object", "embed", "base")]
    assert not [given for _, given in seen.tags if "src" in given]


def test_secrets_of_headers_are_masked_before_they_reach_a_report() -> None:
    from rollout_conformance.steps.engine.report_trace import _headers

    given = (("authorization", "Basic abc"), ("x-api-key", "k"), ("cookie", "a=b"), ("accept", "x"))
    assert _headers(given) == [["authorization", "Basic ***"], ["x-api-key", "***"], ["cookie", "***"], ["accept", "x"]]


def test_a_member_that_a_finding_names_is_where_the_body_opens(tmp_path: Path) -> None:
    seen = elements(page_of(reports.ordinary(tmp_path / "run.ndjson")))
    (finding,) = case_in(seen, 4)["findings"]
    assert finding["exchanges"] == [1, 2]
    assert finding["accused"]["1"]["request"] == [["messages", 1, "tool_call_id"]]


def test_an_old_report_without_traces_shows_the_exchanges_of_its_findings(tmp_path: Path) -> None:
    case = reports.case("old")
    old = reports.result(case["id"], "fail", [reports.cited("null", [4])], trace=None)
    seen = elements(page_of(reports.written(tmp_path / "run.ndjson", [old], [case])))
    data = case_in(seen, 0)
    assert [one["n"] for one in data["trace"]["exchanges"]] == [4]
    assert data["whole"] is False


def test_another_run_stands_beside(tmp_path: Path) -> None:
    this = report_file.read(reports.ordinary(tmp_path / "run.ndjson", backend="scripted"))
    other = report_file.read(reports.ordinary(tmp_path / "live.ndjson", backend="live"))
    page = "".join(render(this, Sources(PROFILE.catalogue, PROFILE.closing, None, beside(this, other))))
    seen = elements(page)
    assert json.loads(seen.data["index"])["beside"] == ["scripted", "live"]
    assert case_in(seen, 0)["beside"]["verdict"] == "pass"


def test_texts_of_tokens_are_those_of_the_tokenizer(tmp_path: Path) -> None:
    sources = Sources(PROFILE.catalogue, PROFILE.closing, lambda one: f"<{one}>")
    seen = elements(page_of(reports.ordinary(tmp_path / "run.ndjson"), sources))
    assert json.loads(seen.data["tokens"]) == {str(one): f"<{one}>" for one in (1, 2, 3, 4, 5, 6, 9)}


def test_a_report_that_is_too_large_keeps_the_details_of_cases_with_findings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from rollout_conformance.steps.report_page import page

    monkeypatch.setattr(page, "MOST_DETAILS", 4_000)
    cases = [reports.case("large"), reports.case("broken")]
    large = reports.result(cases[0]["id"], "pass", trace=reports.trace("".join(map(str, range(3000)))))
    broken = reports.result(cases[1]["id"], "fail", [reports.cited("null", [1])])
    seen = elements(page_of(reports.written(tmp_path / "run.ndjson", [large, broken], cases)))
    assert "data-0" not in seen.data
    assert "data-1" in seen.data


def test_of_more_cases_than_a_browser_opens_those_that_failed_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(overview, "MOST_CASES", 4)
    cases = [reports.case(f"case {n}") for n in range(20)]
    results = [
        reports.result(one["id"], "fail", [reports.cited(f'"call_{n}"', [1])])
        if n % 5 == 4
        else reports.result(one["id"], "pass")
        for n, one in enumerate(cases)
    ]
    page = page_of(reports.written(tmp_path / "run.ndjson", results, cases))
    found = elements(page)
    listed = json.loads(found.data["index"])["cases"]
    assert [row[1] for row in listed] == [f"case {n}" for n in (0, 1, 2, 3, 4, 9, 14, 19)]
    assert [row[0] for row in listed] == list(range(8))
    assert [case_in(found, n)["n"] for n in range(8)] == list(range(8))
    assert "12 more cases are in the report only" in page
    assert "<b>20 cases</b>" in page
    assert '<b class="count">4 cases</b>' in page
    assert 'id="case-7"' in page.split("<noscript>")[1]


def test_each_case_is_counted_once_under_the_word_of_the_list(tmp_path: Path) -> None:
    """A case with a warning is no plain pass, and one whose failure is known is neither a pass nor a failure."""
    names = ["fails", "warns", "silent with a finding", "known", "passes"]
    cases = [reports.case(name) for name in names]
    weak = [reports.finding("weak", "ROLLOUT-013", "should")]
    results = [
        reports.result(cases[0]["id"], "fail", [reports.cited("null", [1])]),
        reports.result(cases[1]["id"], "pass", weak),
        reports.result(cases[2]["id"], "inconclusive", weak, reason="no occasion arose"),
        reports.result(cases[3]["id"], "pass", [reports.finding()], known="we know"),
        reports.result(cases[4]["id"], "pass"),
    ]
    report = report_file.read(reports.written(tmp_path / "run.ndjson", results, cases))
    found = overview.Overview.of(report, PROFILE.catalogue)
    assert found.verdicts == [("fail", 1), ("warn", 1), ("inconclusive", 1), ("known", 1), ("pass", 1)]
