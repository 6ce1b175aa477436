"""Any value is valid or not, and any schema is one or not: neither trips the validator."""

import json
from typing import Any

import pytest

from rollout_conformance.steps.engine.json_schema import is_valid, schema_problem

SCHEMA = {"type": "object", "properties": {"a": {"type": "string", "maxLength": 1}}, "additionalProperties": False}


@pytest.mark.parametrize(
    ("value", "valid"),
    [
        ('{"a": "x"}', True),
        ('{"a": "\\ud800"}', True),
        ('{"a": "\\ud800x"}', False),
        ('{"\\ud800": 1}', False),
        ('{"a": NaN}', False),
        ("[[]]", False),
        ("1" + "0" * 400, False),
    ],
)
def test_values(value: str, valid: bool) -> None:
    assert is_valid(SCHEMA, json.loads(value)) is valid


@pytest.mark.parametrize(
    ("schema", "right"),
    [
        ({"type": "object", "properties": {"\ud800": {"type": "string"}}}, True),
        ({"type": "\ud800"}, False),
        ({"type": ["object", 1]}, False),
        ({"required": "a"}, False),
    ],
)
def test_schemas(schema: Any, right: bool) -> None:
    assert (schema_problem(schema) is None) is right
