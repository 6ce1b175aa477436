"""The parameter schemas of tools: what JSON Schema allows passes."""

from typing import Any

import pytest

from rollout_conformance.steps.profiles.rollout.invariants.http_surface import schema_problem


@pytest.mark.parametrize(
    "parameters",
    [
        {"type": "object"},
        {"type": "object", "properties": {}},
        {"type": "object", "required": []},
        {"type": "object", "properties": {"a": {"type": "number"}}, "required": ["a"]},
    ],
)
def test_a_valid_schema_passes(parameters: Any) -> None:
    assert schema_problem(parameters) is None


@pytest.mark.parametrize(
    ("parameters", "problem"),
    [
        ({}, "type is null, not object"),
        ({"type": "object", "required": ["a"]}, 'required names ["a"], which properties lacks'),
        ({"type": "object", "properties": []}, "properties is [], not an object"),
        ({"type": "object", "properties": {"a": {"type": "real"}}}, "not a JSON Schema: "),
    ],
)
def test_an_invalid_schema_is_a_problem(parameters: Any, problem: str) -> None:
    assert (schema_problem(parameters) or "").startswith(problem)
