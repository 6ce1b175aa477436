"""What everybody uses of pytest works on cases: --lf, --ff, --sw, -k, -n, --junitxml, Allure; own features in any folder.

Each session is a process of its own, in a project that has nothing but its cases.
"""

import importlib.util
import json
import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

pytest_plugins = ["pytester"]
pytestmark = pytest.mark.slow
HAS_XDIST, HAS_ALLURE = (importlib.util.find_spec(name) is not None for name in ("xdist", "allure_pytest"))

FEATURE = """Feature: mine

  @ROLLOUT-112 @sync
  Scenario: good
    Given the policy answers "Done."
    When the trainer starts the rollout
    And the rollout ends
    Then the rollout completes

  @ROLLOUT-112 @sync
  Scenario Outline: makes <n> requests
    Given the policy answers "Done."
    When the trainer starts the rollout
    And the rollout ends
    Then the trainer receives <n> generation requests

    Examples:
      | n | note  |
      | 1 | one   |
      | 5 | two   |
      | 5 | three |
"""
GOOD, ONE, FIVE, AGAIN = (
    "good[sync]",
    "makes 1 requests[one][sync]",
    "makes 5 requests[two][sync]",
    "makes 5 requests[three][sync]",
)
ENDED = re.compile(r"::(.+\]) (PASSED|FAILED)")


@pytest.fixture
def project(pytester: pytest.Pytester) -> pytest.Pytester:
    folder = pytester.path / "any" / "folder"
    folder.mkdir(parents=True)
    (folder / "mine.feature").write_text(FEATURE, encoding="utf-8")
    return pytester


def played(project: pytest.Pytester, *words: str) -> list[tuple[str, str]]:
    """The items that were played, in order, and how each ended."""
    result = project.runpytest_subprocess("-v", "any", *words, timeout=240)
    return [(found[1], found[2]) for line in result.outlines if (found := ENDED.search(line)) and "Error" not in line]


ALL = [(GOOD, "PASSED"), (ONE, "PASSED"), (FIVE, "FAILED"), (AGAIN, "FAILED")]


def test_a_folder_is_played_and_its_failures_are_played_again(project: pytest.Pytester) -> None:
    assert played(project) == ALL
    assert played(project, "--lf") == ALL[2:]
    assert played(project, "--ff") == ALL[2:] + ALL[:2]


def test_stepwise_goes_on_where_it_stopped(project: pytest.Pytester) -> None:
    assert played(project, "--sw") == ALL[:3]
    assert played(project, "--sw") == ALL[2:3]


def test_a_title_is_selected_by_its_words_and_written_to_junit(project: pytest.Pytester) -> None:
    assert played(project, "-k", "makes and 5 and three", "--junitxml", "x.xml") == ALL[3:]
    (found,) = ElementTree.parse(project.path / "x.xml").iter("testcase")  # noqa: S314
    assert found.get("name") == AGAIN
    failure = found.find("failure")
    assert failure is not None
    assert "ROLLOUT-112" in (failure.get("message") or "")


def test_two_equal_rows_are_reported_at_their_place(project: pytest.Pytester) -> None:
    (project.path / "any" / "folder" / "mine.feature").write_text(FEATURE.replace("three", "two  "), encoding="utf-8")
    result = project.runpytest_subprocess("any", timeout=240)
    result.stdout.fnmatch_lines(["*mine.feature:21:7: this row is called as that of line 20*"])


SCENARIOS = """cases:
- name: <n> requests
  requirements: [ROLLOUT-112]
  dialects: [sync]
  trainer: [{text: Done.}]
  expect:
  - {generation_requests: <n>}
  examples: [{n: 1}, {n: 5}]
- name: good as data
  requirements: [ROLLOUT-112]
  dialects: [sync]
  trainer: [{text: Done.}]
  expect: [completed]
"""
DATA = [("1 requests[sync]", "PASSED"), ("5 requests[sync]", "FAILED"), ("good as data[sync]", "PASSED")]


def test_scenario_files_in_a_folder_are_played_and_other_yaml_is_not_touched(project: pytest.Pytester) -> None:
    folder = project.path / "any" / "folder"
    (folder / "more.yaml").write_text(SCENARIOS, encoding="utf-8")
    (folder / "deployment.yaml").write_text("cases:\n- {{ .Values.name }}\n", encoding="utf-8")
    assert sorted(played(project)) == sorted(ALL + DATA)


@pytest.mark.parametrize(("line", "chosen"), [(2, DATA[:2]), (7, DATA[:2]), (9, DATA[2:]), (14, DATA[2:])])
def test_the_address_that_a_finding_prints_is_one_that_pytest_plays(
    project: pytest.Pytester, line: int, chosen: list[tuple[str, str]]
) -> None:
    (project.path / "more.yaml").write_text(SCENARIOS, encoding="utf-8")
    result = project.runpytest_subprocess("-v", f"more.yaml:{line}", timeout=240)
    ended = [(found[1], found[2]) for text in result.outlines if (found := ENDED.search(text)) and "Error" not in text]
    assert ended == chosen


def test_a_line_before_the_first_case_says_where_that_begins(project: pytest.Pytester) -> None:
    (project.path / "more.yaml").write_text(SCENARIOS, encoding="utf-8")
    result = project.runpytest_subprocess("more.yaml:1", timeout=240)
    result.stderr.fnmatch_lines(["*more.yaml:1: no case includes this line; the first begins in line 2*"])


SHOULD = """cases:
- name: a second start
  requirements: [ROLLOUT-110]
  dialects: [sync]
  trainer: [{text: Done.}]
  expect: [{generation_requests: 5}]
"""


@pytest.mark.parametrize(
    ("words", "outcomes"),
    [
        ((), {"passed": 1, "warnings": 1}),
        (("-W", "error"), {"passed": 1, "warnings": 1}),  # --level decides what fails, not the filter of warnings
        (("-W", "ignore:WARN  ROLLOUT-110"), {"passed": 1, "warnings": 0}),
        (("--level", "should"), {"failed": 1}),
    ],
)
def test_a_broken_should_is_a_warning_and_a_failure_where_that_is_asked_for(
    project: pytest.Pytester, words: tuple[str, ...], outcomes: dict[str, int]
) -> None:
    (project.path / "should.yaml").write_text(SHOULD, encoding="utf-8")
    result = project.runpytest_subprocess("should.yaml", *words, timeout=240)
    result.assert_outcomes(**outcomes)
    if outcomes.get("warnings"):
        result.stdout.fnmatch_lines(
            [
                "should.yaml::a second start[[]sync[]]",
                "*RequirementWarning: WARN  ROLLOUT-110 SHOULD  The server *",
                "*expected 5 generation request(s)*",
                "*observed 1*",
                "*case     *should.yaml:6",
                "*It fails with --level should.",
            ]
        )


@pytest.mark.skipif(not HAS_XDIST, reason="pytest-xdist is not installed")
def test_two_workers_play_every_case_once(project: pytest.Pytester) -> None:
    result = project.runpytest_subprocess("-n", "2", "any", timeout=240)
    result.assert_outcomes(passed=2, failed=2)


@pytest.mark.skipif(not HAS_ALLURE, reason="allure-pytest is not installed")
def test_allure_has_steps_severity_and_evidence(project: pytest.Pytester) -> None:
    project.runpytest_subprocess("any", "-k", "5 and two or good", "--alluredir", "allure", timeout=240)
    found = {one["name"]: one for one in map(_json, (project.path / "allure").glob("*-result.json"))}
    assert {name: one["status"] for name, one in found.items()} == {GOOD: "passed", FIVE: "failed"}
    assert [step["status"] for step in found[FIVE]["steps"]] == ["passed", "passed", "passed", "failed"]
    assert found[FIVE]["steps"][0]["name"] == 'Given the policy answers "Done."'
    assert [one["name"] for one in found[FIVE]["attachments"]] == [
        "ROLLOUT-112",
        "#1 <- POST /v1/chat/completions => 200",
    ]
    assert {one["value"] for one in found[FIVE]["labels"] if one["name"] == "severity"} == {"critical"}
    assert "ROLLOUT-112: expected 5 generation request(s), observed 1" in found[FIVE]["statusDetails"]["message"]


def _json(file: Path) -> Any:
    return json.loads(file.read_text(encoding="utf-8"))
