"""Requests that a contract would not generate, and that a server may accept all the same.

A schema with `x-servers-accept-more: true` has bounds that keep generated values meaningful (a text with a letter in it, a number that no
server finds too large); the protocol itself sets none.
"""

from collections.abc import Mapping
from typing import Any

from rollout_conformance.steps.engine.json_schema import is_valid

MARK = "x-servers-accept-more"
BOUNDS = frozenset({"minLength", "maxLength", "pattern", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"})


def accepts(spec: Mapping[str, Any], method: str, path: str, body: object) -> bool:
    """Whether a JSON body is allowed where only the bounds of marked schemas are ignored."""
    operation = (spec.get("paths", {}).get(path) or {}).get(method.lower()) or {}
    schema = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
    if schema is None:
        return False
    return is_valid(widened({**schema, "components": spec.get("components", {})}), body)


def widened(schema: Any) -> Any:
    """The schema without the bounds of those that are marked."""
    if isinstance(schema, list):
        return [widened(one) for one in schema]
    if not isinstance(schema, Mapping):
        return schema
    left_out = BOUNDS if schema.get(MARK) is True else frozenset()
    return {name: widened(value) for name, value in schema.items() if name not in left_out}
