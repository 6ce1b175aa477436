"""The rows of a case in YAML, and what is reported of rows that cannot be played."""

from typing import Any

import pytest

from rollout_conformance.steps.engine import yaml_source
from rollout_conformance.steps.engine.findings import SuiteError
from rollout_conformance.steps.profiles import PROFILES
from rollout_conformance.steps.scenario import loader
from rollout_conformance.steps.scenario.examples import rows

CASE = "name: n\nsteps: [{a: <x>}, b is <x> and <y>]\n"


def filled(text: str) -> list[tuple[str, Any]]:
    source = yaml_source.parse(text, "f.yaml")
    return list(rows(source, (), source.value))


def test_a_case_without_examples_is_itself() -> None:
    assert filled("name: n\nsteps: [a]\n") == [("", {"name": "n", "steps": ["a"]})]


@pytest.mark.parametrize("value", ["1", "1.5", "true", "null", "'1'", "[1, b]", "{a: {b: 1}}"])
def test_a_whole_value_keeps_its_type(value: str) -> None:
    [(_, case)] = filled(f"steps: [{{a: <x>}}]\nexamples: [{{x: {value}}}]\n")
    [step] = case["steps"]
    expected = yaml_source.parse(value, "v.yaml").value
    assert (step["a"], type(step["a"])) == (expected, type(expected))


def test_a_column_within_a_text_is_a_text() -> None:
    [one, two] = filled(CASE + "examples: [{x: 1, y: z}, {x: 2, y: 3}]\n")
    assert one == ("[1-z]", {"name": "n", "steps": [{"a": 1}, "b is 1 and z"]})
    assert two == ("[2-3]", {"name": "n", "steps": [{"a": 2}, "b is 2 and 3"]})


@pytest.mark.parametrize(
    ("examples", "expected"),
    [
        ("[{x: 1}]", "f.yaml:2:19: steps.1: unknown column 'y'. Known: x. `examples` has no such column"),
        ("[{x: 1, y: 2}, {x: 1}]", "f.yaml:3:26: examples.1: this row has the columns x; the first has x, y"),
        ("[{x: 1, y: 2}, {x: 3, z: 4}]", "this row has the columns x, z; the first has x, y"),
        ("[{x: 1, y: 2}, {x: 3, y: 4}, {x: 1, y: 2}]", "f.yaml:3:40: examples.2: this row equals row 1"),
    ],
)
def test_a_mistake_in_the_rows_is_reported_at_its_place(examples: str, expected: str) -> None:
    with pytest.raises(SuiteError) as error:
        filled(CASE + f"examples: {examples}\n")
    assert expected in str(error.value)


def test_each_row_is_a_case_of_its_own() -> None:
    text = (
        "cases:\n- name: n\n  requirements: [TRAINER-185]\n  examples: [{mask: short, status: 422}, {mask: long, status: 4xx}]\n"
        "  steps: [start_rollout, {generate: {response_mask: <mask>}}]\n  expect: [{generation_status: <status>}]\n"
    )
    cases = loader.compiled(yaml_source.parse(text, "f.yaml"), PROFILES["trainer"])
    names = {case.name: [getattr(step.what, "response_mask", None) for step in case.steps][1] for case in cases}
    assert names == {"n[short-422]": "short", "n[long-4xx]": "long"}
    assert {case.expectations[0].what.statuses for case in cases} == {(422,), ("4xx",)}  # type: ignore[union-attr]


def test_a_value_of_a_row_that_its_member_cannot_have_is_reported() -> None:
    text = (
        "cases:\n- name: n\n  requirements: [TRAINER-185]\n  examples: [{mask: wide}]\n"
        "  steps: [start_rollout, {generate: {response_mask: <mask>}}]\n  expect: [{generation_status: 422}]\n"
    )
    with pytest.raises(SuiteError, match=r"f.yaml:5:26: .*response_mask: unknown word 'wide'"):
        loader.compiled(yaml_source.parse(text, "f.yaml"), PROFILES["trainer"])


def test_a_repeated_text_is_written_out() -> None:
    [(_, case)] = filled('name: n\nsteps: [{a: "b<😀 3 times>"}, "<xy 2 times>"]\n')
    assert case["steps"] == [{"a": "b😀😀😀"}, "xyxy"]


def test_a_repeated_text_in_a_row_names_no_case() -> None:
    [(name, case)] = filled('name: n\nsteps: [{a: <x>}]\nexamples: [{what: many, x: "<😀 256 times>"}]\n')
    assert (name, case["steps"]) == ("[many]", [{"a": "😀" * 256}])


@pytest.mark.parametrize("times", ["0", "999999999"])
def test_a_repeated_text_is_neither_empty_nor_endless(times: str) -> None:
    with pytest.raises(SuiteError, match=f"steps.0.a: 'ab' {times} times: a repeated text has 1 to"):
        filled(f'name: n\nsteps: [{{a: "<ab {times} times>"}}]\n')


def test_a_comparison_is_no_repeated_text() -> None:
    [(_, case)] = filled('name: n\nsteps: ["1 < 3 and 3 times> 2"]\n')
    assert case["steps"] == ["1 < 3 and 3 times> 2"]
