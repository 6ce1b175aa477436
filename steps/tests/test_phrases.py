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
        "    Given the start request has max_turns 0\n    When the trainer starts the rollout\n    And the rollout ends\n"
        "    Then the start request is rejected with 422\n",
        "start: {max_turns: 0}\n  expect: [{start_rejected: 422}]",
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


ROUTER_TWINS = [
    (
        "ROUTER-003",
        '    Given the engines answer 503, then break off, then are silent, then say "Done." after 0.3 s\n'
        '    When the client sends "Hello!" with the API key "other"\n    Then it says "Done.", all of it and once\n'
        "    And the engines were asked 2 to 3 times, both of them\n    And it fails with 402 or 429\n",
        "steps: [{engines: [503, reset, stall, {say: Done., delay_s: 0.3}]}, {chat: {user: Hello!, key: other}}]\n"
        "  expect: [{whole: {text: Done., of: first}}, {backend_calls: {least: 2, most: 3, engines: 2}}, "
        "{failed: {statuses: [402, 429], of: first}}]",
    ),
    (
        "ROUTER-019",
        '    Given the engines say something, a word every 0.02 s and die after 4 pieces, then answer 500 with the body "x"\n'
        '    When the router is asked 8 times at once with the API key "limited"\n    And 2.2 s have passed\n'
        "    And the router is asked 2 times, one after the other\n    And an engine notices that the router has hung up\n"
        "    Then at most 4 of the first are served, and the others are told when to come again\n    And no engine was asked\n",
        "steps: [{engines: [{pace_s: 0.02, dies_after: 4}, {status: 500, body: x}]},"
        " {ask_many: {times: 8, name: first, key: limited, together: true}}, {pause: 2.2},"
        " {ask_many: {times: 2, name: second}}, hung_up]\n"
        "  expect: [{limited: {of: first, most: 4}}, {backend_calls: 0}]",
    ),
    (
        "ROUTER-002",
        '    Given the replies of the engines hold these members:\n      """\n      a: [0, null]\n      """\n'
        '    When the client sends "Hello!" as a stream\n    Then it holds these members:\n      """\n      a: [0, null]\n      """\n'
        '    And it does not look finished, unless all of it is "x"\n    And it has the header X-Routing-Backend\n',
        "steps: [{engines: {put: {a: [0, null]}}}, {chat: {user: Hello!, stream: true}}]\n"
        "  expect: [{returned: {members: {a: [0, null]}, of: first}}, {unfinished: {or_whole: x, of: first}}, "
        "{header: {name: X-Routing-Backend, of: first}}]",
    ),
]


@pytest.mark.parametrize(("requirement", "prose", "data"), ROUTER_TWINS)
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
        (HEAD + "    When the trainer startet the rollout\n", ":5", "near: when the trainer starts the rollout"),
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
