"""Scenario files: what is wrong is told with file:line:column and what to write instead."""

from pathlib import Path

import jsonschema_rs
import pytest

from rollout_conformance.steps import case_catalog
from rollout_conformance.steps.engine import yaml_source
from rollout_conformance.steps.engine.cases import Case
from rollout_conformance.steps.engine.findings import SuiteError
from rollout_conformance.steps.paths import ROOT
from rollout_conformance.steps.profiles import PROFILES
from rollout_conformance.steps.scenario import loader as scenario
from rollout_conformance.steps.scenario import schema

ROLLOUT = PROFILES["rollout"]
GOOD = "cases:\n- name: a\n  requirements: [ROLLOUT-112]\n  trainer: [{text: Done.}]\n"


def load(tmp_path: Path, text: str) -> list[Case]:
    file = tmp_path / "rollout" / "x.yaml"
    file.parent.mkdir(exist_ok=True)
    file.write_text(text, encoding="utf-8")
    return scenario.load(file, ROLLOUT, tmp_path)


def test_a_simple_case_starts_and_ends_in_every_dialect(tmp_path: Path) -> None:
    cases = load(tmp_path, GOOD)
    assert [case.dialect for case in cases] == ["sync", "callback", "routed", "leased"]
    assert [type(step.what).__name__ for step in cases[0].steps] == ["ScriptTrainer", "Start", "WaitForEnd"]
    assert str(cases[0].at) == "rollout/x.yaml:2"


@pytest.mark.parametrize(
    ("text", "where", "told"),
    [
        ("", "rollout/x.yaml:1:1", "the file is empty"),
        ("cases: [", "rollout/x.yaml:2:1", "not YAML"),
        ('cases:\n- name: "a\n', "rollout/x.yaml:2:9", "not YAML: the quotation mark here is not closed"),
        ("cases:\n- name: a: b\n", "rollout/x.yaml:2:10", "a text with `: ` needs quotes"),
        ("cases:\n- name: a\n b: c\n", "rollout/x.yaml:3:2", "not YAML: no key: the line is indented otherwise"),
        ("cases:\n  - name: a\n   b: c\n", "rollout/x.yaml:3:4", "not YAML: no `- `: the line is indented otherwise"),
        ("cases: - name: a\n", "rollout/x.yaml:1:8", "a list begins on a line of its own"),
        ("cases: }\n", "rollout/x.yaml:1:8", "a bracket closes nothing"),
        ('cases: "\\q"\n', "rollout/x.yaml:1:9", "put the text in single quotes"),
        ("cases: |x\n  a\n", "rollout/x.yaml:1:9", "the text begins on the next line"),
        ("cases:\n- a: 1\n  b: 2\n   c: 3\n", "rollout/x.yaml:4:5", "`:` after what is no key"),
        (GOOD + "  name: b\n", "rollout/x.yaml:5:3", "the key 'name' was already written in line 2"),
        (GOOD + "  trainner: []\n", "rollout/x.yaml:5:3", "unknown key 'trainner'. Did you mean trainer"),
        (GOOD + "- name: a\n  requirements: [ROLLOUT-112]\n", "rollout/x.yaml:5:3", "the name 'a' is taken by case 1"),
        (
            GOOD.replace("112", "912"),
            "rollout/x.yaml:3:18",
            "no requirement ROLLOUT-912 in the catalogue. Near it: ROLLOUT-",
        ),
        (
            GOOD.replace("text: Done.", "text: x, fail: 503"),
            "rollout/x.yaml:4",
            "a response has one of text, call, calls, fail; a text may stand beside calls; seen: text, fail",
        ),
        (
            GOOD + "  expect: [completd]\n",
            "rollout/x.yaml:5:12",
            "unknown expectation 'completd'. Known and near: completed",
        ),
        (GOOD + "  steps: [strat]\n", "rollout/x.yaml:5:11", "unknown step 'strat'. Known and near: start"),
        (GOOD + "  steps: [end]\n", "rollout/x.yaml:5:11", "unknown step 'end'. Known and near: wait_for_end"),
        (GOOD + "  steps: [{start: {rolout: A}}]\n", "rollout/x.yaml:5:11", "unknown key 'rolout'"),
        (GOOD.replace("text: Done.", "fail: explode"), "rollout/x.yaml:4", "'explode' is none of reset, stall, cut"),
        (GOOD.replace("name: a", "name: a::b"), "rollout/x.yaml:2", "may not contain ::"),
    ],
)
def test_a_mistake_is_told_where_it_is(tmp_path: Path, text: str, where: str, told: str) -> None:
    with pytest.raises(SuiteError) as error:
        load(tmp_path, text)
    assert str(error.value).startswith(where)
    assert told in str(error.value)


def test_words_that_yaml_1_1_takes_for_something_else_are_words(tmp_path: Path) -> None:
    case = load(tmp_path, GOOD + "  start: {metadata: {on: no, at: 12:30, id: 012}}\n")[0]
    assert case.steps[0].what.overrides.body["metadata"] == {"on": "no", "at": "12:30", "id": "012"}  # type: ignore[union-attr]


def test_a_file_that_is_not_utf8_is_told_as_such(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_bytes(b"cases: \xff")
    with pytest.raises(SuiteError, match="is not UTF-8 text"):
        scenario.load(tmp_path / "x.yaml", ROLLOUT, tmp_path)


SHIPPED = [(folder, file) for folder in PROFILES for file in sorted((ROOT / "scenarios" / folder).glob("*.yaml"))]


def test_the_schemas_that_editors_use_are_those_of_the_models() -> None:
    for file, made in schema.files().items():
        assert file.read_text() == schema.written(made), "run python -m rollout_conformance.steps.scenario.schema"


@pytest.mark.parametrize(("profile", "file"), SHIPPED, ids=[f"{folder}-{file.stem}" for folder, file in SHIPPED])
def test_every_shipped_file_fits_the_schema(profile: str, file: Path) -> None:
    jsonschema_rs.validate(schema.schema(PROFILES[profile]), yaml_source.read(file).value)


@pytest.mark.parametrize("profile", PROFILES)
def test_every_verb_is_used_by_a_shipped_case(profile: str) -> None:
    shown = (
        ("router", "chat") if profile == "router" else (profile,)
    )  # a router is asked what an inference server is asked
    cases = [
        case for name in shown for file in case_catalog.files(name) for case in case_catalog.load(file, PROFILES[name])
    ]
    used = {step.text.partition(":")[0] for case in cases for step in case.steps if case.at.file.endswith(".yaml")}
    assert {verb.name for verb in PROFILES[profile].vocabulary} - used == set()


def test_tags_of_a_file_are_those_of_all_its_cases(tmp_path: Path) -> None:
    case = "- name: {}\n  requirements: [CHAT-001]\n  steps: [{{send: /v1/models}}]\n  expect: [{{status: 200}}]\n"
    text = f"tags: [unit]\ncases:\n{case.format('a')}{case.format('b')}  tags: [stress]\n"
    (tmp_path / "x.yaml").write_text(text, encoding="utf-8")
    cases = scenario.load(tmp_path / "x.yaml", PROFILES["chat"], tmp_path)
    assert [case.tags for case in cases] == [{"unit"}, {"unit", "stress"}]
