"""The smallest value that a JSON schema allows: what a constrained policy with nothing to say would sample."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from rollout_conformance.rollout_server.inference import errors

Schema = Mapping[str, Any]
MOST_VALUES = 4096  # more than fits into any context


@dataclass(slots=True)
class Filling:
    """One value on its way. Numbers are taken from `numbers` while there are any; `room` is how many values it may still have."""

    root: Schema
    numbers: Iterator[float]
    room: Iterator[int] = field(default_factory=lambda: iter(range(MOST_VALUES)))


def smallest(schema: Schema, numbers: Iterator[float]) -> Any:
    """Raises `EngineError` 400 where no value fits into a reply: it would be endless, or nearly so."""
    try:
        return filled(schema, Filling(schema, numbers))
    except (OverflowError, RecursionError) as error:
        raise errors.bad("No value of this schema fits into a reply.") from error


def filled(schema: Schema | bool, at: Filling) -> Any:
    if next(at.room, None) is None:
        raise OverflowError
    if isinstance(schema, bool):
        return None
    if "$ref" in schema:
        return filled(referred(str(schema["$ref"]), at.root), at)
    if "const" in schema:
        return schema["const"]
    if schema.get("enum"):
        return schema["enum"][0]
    for several in ("anyOf", "oneOf", "allOf"):
        if schema.get(several):
            return filled(schema[several][0], at)
    return of_type(schema, at)


def of_type(schema: Schema, at: Filling) -> Any:
    kind = schema.get("type", "object" if "properties" in schema else "string")
    kind = kind[0] if isinstance(kind, list) else kind
    if kind == "object":
        return {name: filled(inner, at) for name, inner in needed(schema)}
    if kind == "array":
        return [filled(schema.get("items") or {}, at) for _ in range(int(schema.get("minItems", 0)))]
    if kind in ("number", "integer"):
        number = max(next(at.numbers, 0), schema.get("minimum", float("-inf")))
        return int(number) if kind == "integer" or number == int(number) else number
    return {"boolean": False, "null": None}.get(kind, "text")


def needed(schema: Schema) -> list[tuple[str, Schema]]:
    properties = schema.get("properties") or {}
    return [(name, properties.get(name) or {}) for name in schema.get("required", properties)]


def referred(reference: str, root: Schema) -> Schema:
    """What a reference within the schema stands for; nothing is fetched from elsewhere."""
    place: Any = root
    for step in reference.removeprefix("#").strip("/").split("/") if reference != "#" else ():
        place = place.get(step, {}) if isinstance(place, Mapping) else {}
    return place if isinstance(place, Mapping) else {}
