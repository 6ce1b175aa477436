"""Gherkin: the same values as YAML, and no mistake that pytest-bdd alone would pass over in silence."""

from pathlib import Path

import pytest

from rollout_conformance.steps.engine.cases import Case
from rollout_conformance.steps.engine.findings import SuiteError
from rollout_conformance.steps.profiles import PROFILES
from rollout_conformance.steps.scenario import loader as scenario
from rollout_conformance.steps.scenario.gherkin import compile_feature

ROLLOUT = PROFILES["rollout"]
HEAD = "Feature: f\n\n  @ROLLOUT-112\n  Scenario: s\n"


def feature(tmp_path: Path, text: str) -> list[Case]:
    file = tmp_path / "rollout" / f"f{abs(hash(text))}.feature"
    file.parent.mkdir(exist_ok=True)
    file.write_text(text, encoding="utf-8")
    return [case for one in compile_feature(file, ROLLOUT, tmp_path) for case in one.cases]


def yaml(tmp_path: Path, text: str) -> list[Case]:
    file = tmp_path / "rollout" / "x.yaml"
    file.parent.mkdir(exist_ok=True)
    file.write_text(text, encoding="utf-8")
    return scenario.load(file, ROLLOUT, tmp_path)


TWINS = [
    (
        '    Given the policy calls any tool\n    And the policy answers "Done."\n    When the trainer starts the rollout\n'
        "    And the rollout ends\n    Then the rollout completes with finish reason stop\n"
        "    And the trainer receives 2 generation requests\n",
        "trainer: [{call: any}, {text: Done.}]\n  expect: [{completed: stop}, {generation_requests: 2}]",
    ),
    (
        "    Given the start request has messages []\n    When the trainer starts the rollout\n    And the rollout ends\n"
        "    Then the start request is rejected with 422\n",
        "start: {messages: []}\n  expect: [{start_rejected: 422}]",
    ),
    (
        '    Given the trainer returns 503 2 times\n    And the policy answers "x" when "g" is released\n'
        '    When the trainer starts the rollout\n    And generation request 3 arrives\n    And "g" is released\n'
        "    And the rollout ends\n    Then the rollout fails\n",
        "trainer: [{fail: {status: 503, times: 2}}, {text: x, hold: g}]\n"
        "  steps: [start, {wait_for_generation_request: 3}, {release: g}, wait_for_end]\n  expect: [failed]",
    ),
]


@pytest.mark.parametrize(("prose", "data"), TWINS)
def test_twins_are_equal_values(tmp_path: Path, prose: str, data: str) -> None:
    told = feature(tmp_path, HEAD + prose)
    written = yaml(tmp_path, f"cases:\n- name: s\n  requirements: [ROLLOUT-112]\n  {data}\n")
    assert [case.steps for case in told] == [case.steps for case in written]
    assert [case.needs for case in told] == [case.needs for case in written]


@pytest.mark.parametrize(
    ("text", "where", "told"),
    [
        ("", ":1", "holds no feature"),
        ("Feature: f\n", ":1", "no scenario"),
        (HEAD + "    Given x\n      | a |\n      | b | c |\n", ":7", "not Gherkin"),
        (HEAD + "    When the trainer startet the rollout\n", ":5", "near: when the trainer starts the rollout"),
        (HEAD + "    Then the trainer starts the rollout\n", ":5", "rollout. It begins with When, not with Then"),
        (
            HEAD + "    When the moon is full\n",
            ":5",
            "`rollout-conformance vocabulary --profile rollout` has all sentences",
        ),
        (
            HEAD
            + "    When the trainer starts the rollout\n  @ROLLOUT-112\n  Scenario: s\n    When the trainer starts the rollout\n",
            ":7:3",
            "the title 's' is taken by line 4",
        ),
        (HEAD.replace(": s", ": a::b") + "    When the trainer starts the rollout\n", ":4", "may not contain ::"),
        (
            HEAD + "    When the trainer starts the rollout\n    Examples:\n      | a |\n      | 1 |\n",
            ":6",
            "Write Scenario Outline",
        ),
        (
            HEAD.replace("Scenario:", "Scenario Outline:") + "    When the trainer starts the rollout\n",
            ":4",
            "an outline without rows",
        ),
        (
            HEAD.replace("  @ROLLOUT-112\n", "") + "    When the trainer starts the rollout\n",
            ":3",
            "no requirement tag",
        ),
        (
            HEAD.replace("ROLLOUT-112", "ROLLOUT_112") + "    When the trainer starts the rollout\n",
            ":3:3",
            "Did you mean ROLLOUT-112",
        ),
        (
            HEAD.replace("112", "912") + "    When the trainer starts the rollout\n",
            ":3:3",
            "no requirement ROLLOUT-912",
        ),
        (HEAD + "    Given the start request has max_turns ten\n", ":5", "not JSON: ten"),
    ],
)
def test_a_mistake_is_told_where_it_is(tmp_path: Path, text: str, where: str, told: str) -> None:
    with pytest.raises(SuiteError) as error:
        feature(tmp_path, text)
    assert f".feature{where}" in str(error.value)
    assert told in str(error.value)


def test_the_first_tag_is_the_one_that_is_accused(tmp_path: Path) -> None:
    cases = feature(
        tmp_path,
        HEAD.replace("@ROLLOUT-112", "@ROLLOUT-130 @ROLLOUT-112 @nightly")
        + "    When the trainer starts the rollout\n",
    )
    assert cases[0].requirements == ("ROLLOUT-130", "ROLLOUT-112")
    assert cases[0].tags == {"nightly"}
