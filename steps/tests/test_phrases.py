"""Gherkin: the same values as YAML, and no mistake that pytest-bdd alone would pass over in silence."""

from pathlib import Path

import pytest

from rollout_conformance.steps.engine.cases import Case
from rollout_conformance.steps.engine.findings import SuiteError
from rollout_conformance.steps.run_setup import PROFILES
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
        '    Given the trainer calls any tool\n    And the trainer says "Done."\n    When the rollout is started\n'
        '    And it has ended\n    Then it is completed because of "stop"\n    And there were 2 generation calls\n',
        "trainer: [{call: any}, {say: Done.}]\n  expect: [{completed: stop}, {calls: 2}]",
    ),
    (
        "    Given the start request has max_turns 0\n    When the rollout is started\n    And it has ended\n"
        "    Then the start is refused with 422\n",
        "start: {max_turns: 0}\n  expect: [{refused: 422}]",
    ),
    (
        '    Given the trainer answers 503 2 times\n    And the trainer says "x" when "g" is released\n    When the rollout is started\n'
        '    And generation call 3 has arrived\n    And "g" is released\n    And it has ended\n    Then it has failed\n',
        "trainer: [{fail: {status: 503, times: 2}}, {say: x, hold: g}]\n"
        "  steps: [start, {wait_for_call: 3}, {release: g}, end]\n  expect: [failed]",
    ),
]


@pytest.mark.parametrize(("prose", "data"), TWINS)
def test_twins_are_equal_values(tmp_path: Path, prose: str, data: str) -> None:
    told = feature(tmp_path, HEAD + prose)
    written = yaml(tmp_path, f"cases:\n- name: s\n  requirements: [ROLLOUT-112]\n  {data}\n")
    assert [case.steps for case in told] == [case.steps for case in written]
    assert [case.needs for case in told] == [case.needs for case in written]


TRAINER_TWINS = [
    (
        "TRAINER-188",
        '    When for rollout "a", the trainer enrolls the rollout at a server with the tools add and subtract\n'
        '    And for rollout "b", the trainer enrolls the rollout at the server of "a"\n'
        '    And for rollout "a", the next turn is asked for with the key of "b"\n'
        '    Then for rollout "a", the turn is answered 401\n',
        "steps: [{enroll: {rollout: a, tools: [add, subtract]}}, {enroll: {rollout: b, beside: a}},"
        ' {generate: {rollout: a, key: "other:b"}}]\n  expect: [{replies: {statuses: 401, rollout: a}}]',
    ),
    (
        "TRAINER-188",
        "    When the trainer enrolls the rollout at a server that first answers 429 with Retry-After 0.2\n"
        "    And the next turn is asked for with a short mask\n    And the same turn is asked for again\n"
        "    And the rollout comes to its end as ERROR\n    And its record is read after the end\n"
        "    Then the turns are answered 422, 4xx and 200\n    And the record shows TIMEOUT or ERROR\n"
        "    And the server was started 2 times\n",
        'steps: [{enroll: {refuse: [{status: 429, headers: {retry-after: "0.2"}}]}}, {generate: {mask: short}},'
        " {generate: {retry: true}}, {complete: {status: ERROR}}, {record: {ended: true}}]\n"
        "  expect: [{replies: [422, 4xx, 200]}, {shows: {status: [TIMEOUT, ERROR]}}, {starts: {least: 2, most: 2}}]",
    ),
]


@pytest.mark.parametrize(("requirement", "prose", "data"), TRAINER_TWINS)
def test_twins_of_the_other_profiles_are_equal_values(tmp_path: Path, requirement: str, prose: str, data: str) -> None:
    profile = requirement.partition("-")[0].lower()
    folder = tmp_path / profile
    folder.mkdir()
    (folder / "s.feature").write_text(HEAD.replace("ROLLOUT-112", requirement) + prose, encoding="utf-8")
    text = f"cases:\n- name: s\n  requirements: [{requirement}]\n  {data}\n"
    (folder / "s.yaml").write_text(text, encoding="utf-8")
    told = [case for one in compile_feature(folder / "s.feature", PROFILES[profile], tmp_path) for case in one.cases]
    written = scenario.load(folder / "s.yaml", PROFILES[profile], tmp_path)
    assert [(c.dialect, c.needs, [s.what for s in c.steps]) for c in told] == [
        (c.dialect, c.needs, [s.what for s in c.steps]) for c in written
    ]


@pytest.mark.parametrize(
    ("text", "where", "told"),
    [
        ("", ":1", "holds no feature"),
        ("Feature: f\n", ":1", "no scenario"),
        (HEAD + "    Given x\n      | a |\n      | b | c |\n", ":7", "not Gherkin"),
        (HEAD + "    When the rollout is startet\n", ":5", "near: when the rollout is started"),
        (
            HEAD + "    When the rollout is started\n  @ROLLOUT-112\n  Scenario: s\n    When the rollout is started\n",
            ":7:3",
            "the title 's' is taken by line 4",
        ),
        (HEAD.replace(": s", ": a::b") + "    When the rollout is started\n", ":4", "may not contain ::"),
        (
            HEAD + "    When the rollout is started\n    Examples:\n      | a |\n      | 1 |\n",
            ":6",
            "Write Scenario Outline",
        ),
        (
            HEAD.replace("Scenario:", "Scenario Outline:") + "    When the rollout is started\n",
            ":4",
            "an outline without rows",
        ),
        (HEAD.replace("  @ROLLOUT-112\n", "") + "    When the rollout is started\n", ":3", "no requirement tag"),
        (HEAD.replace("112", "912") + "    When the rollout is started\n", ":3:3", "no requirement ROLLOUT-912"),
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
        HEAD.replace("@ROLLOUT-112", "@ROLLOUT-130 @ROLLOUT-112 @nightly") + "    When the rollout is started\n",
    )
    assert cases[0].requirements == ("ROLLOUT-130", "ROLLOUT-112")
    assert cases[0].tags == {"nightly"}
