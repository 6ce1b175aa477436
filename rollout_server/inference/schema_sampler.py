"""A small value that a JSON Schema allows, as a stand-in for constrained sampling."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from rollout_conformance.rollout_server.inference import errors

Schema = Mapping[str, Any]
MOST_VALUES = 4096  # more than fits into any context


@dataclass(slots=True)
class SamplerState:
    """The value under construction. Numbers are taken from `numbers` while there are any; `room` counts the values left."""

    root: Schema
    numbers: Iterator[float]
    room: Iterator[int] = field(default_factory=lambda: iter(range(MOST_VALUES)))


def smallest_value(schema: Schema, numbers: Iterator[float]) -> Any:
    """Raises `ApiError` 400 where every value is too large for a reply, for instance with a recursive schema."""
    try:
        return value_of(schema, SamplerState(schema, numbers))
    except (OverflowError, RecursionError) as error:
        raise errors.bad("No value of this schema fits into a reply.") from error


def value_of(schema: Schema | bool, at: SamplerState) -> Any:
    if next(at.room, None) is None:
        raise OverflowError
    if isinstance(schema, bool):
        return None
    if "$ref" in schema:
        return value_of(resolve(str(schema["$ref"]), at.root), at)
    if "const" in schema:
        return schema["const"]
    if schema.get("enum"):
        return schema["enum"][0]
    for several in ("anyOf", "oneOf", "allOf"):
        if schema.get(several):
            return value_of(schema[several][0], at)
    return of_type(schema, at)


def of_type(schema: Schema, at: SamplerState) -> Any:
    kind = schema.get("type", "object" if "properties" in schema else "string")
    kind = kind[0] if isinstance(kind, list) else kind
    if kind == "object":
        return {name: value_of(inner, at) for name, inner in required_properties(schema)}
    if kind == "array":
        return [value_of(schema.get("items") or {}, at) for _ in range(int(schema.get("minItems", 0)))]
    if kind in ("number", "integer"):
        number = max(next(at.numbers, 0), schema.get("minimum", float("-inf")))
        return int(number) if kind == "integer" or number == int(number) else number
    return {"boolean": False, "null": None}.get(kind, "text")


def required_properties(schema: Schema) -> list[tuple[str, Schema]]:
    properties = schema.get("properties") or {}
    return [(name, properties.get(name) or {}) for name in schema.get("required", properties)]


def resolve(reference: str, root: Schema) -> Schema:
    """The target of a `$ref` within the schema; nothing is fetched."""
    target: Any = root
    for step in reference.removeprefix("#").strip("/").split("/") if reference != "#" else ():
        target = target.get(step, {}) if isinstance(target, Mapping) else {}
    return target if isinstance(target, Mapping) else {}
