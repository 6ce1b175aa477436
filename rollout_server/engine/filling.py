"""The smallest value that a JSON schema allows: what a constrained policy with nothing to say would sample."""

from collections.abc import Iterator, Mapping
from typing import Any

Schema = Mapping[str, Any]


def filled(schema: Schema, numbers: Iterator[float], root: Schema | None = None) -> Any:
    """Numbers are taken from `numbers` while there are any."""
    root = schema if root is None else root
    if "$ref" in schema:
        return filled(referred(str(schema["$ref"]), root), numbers, root)
    if "const" in schema:
        return schema["const"]
    if schema.get("enum"):
        return schema["enum"][0]
    for several in ("anyOf", "oneOf", "allOf"):
        if schema.get(several):
            return filled(schema[several][0], numbers, root)
    return of_type(schema, numbers, root)


def of_type(schema: Schema, numbers: Iterator[float], root: Schema) -> Any:
    kind = schema.get("type", "object" if "properties" in schema else "string")
    kind = kind[0] if isinstance(kind, list) else kind
    if kind == "object":
        return {name: filled(inner, numbers, root) for name, inner in needed(schema)}
    if kind == "array":
        return [filled(schema.get("items") or {}, numbers, root) for _ in range(schema.get("minItems", 0))]
    if kind in ("number", "integer"):
        number = max(next(numbers, 0), schema.get("minimum", float("-inf")))
        return int(number) if kind == "integer" or number == int(number) else number
    return {"boolean": False, "null": None}.get(kind, "text")


def needed(schema: Schema) -> list[tuple[str, Schema]]:
    properties = schema.get("properties") or {}
    return [(name, properties.get(name) or {}) for name in schema.get("required", properties)]


def referred(reference: str, root: Schema) -> Schema:
    place: Any = root
    for step in reference.removeprefix("#/").split("/"):
        place = place.get(step, {}) if isinstance(place, Mapping) else {}
    return place if isinstance(place, Mapping) else {}
