"""The two things that a check can say."""

from collections.abc import Mapping
from dataclasses import replace

from rollout_conformance.steps.engine.findings import Evidence, Finding, Satisfied
from rollout_conformance.steps.engine.json_diff import first, show
from rollout_conformance.steps.engine.lenient_json import JsonObject

__all__ = ["absent_or_null", "as_issued", "broken", "first", "number", "same", "satisfied", "should", "show"]


def satisfied(requirement: str) -> Satisfied:
    return Satisfied(f"ROLLOUT-{requirement}")


def broken(
    requirement: str,
    expected: str,
    observed: str,
    *exchanges: int,
    strict_only: bool = False,
    timing: bool = False,
    proof: tuple[int, ...] = (),
) -> Finding:
    return Finding(
        f"ROLLOUT-{requirement}", expected, observed, exchanges, strict_only=strict_only, timing=timing, proof=proof
    )


def should(item: Evidence) -> Evidence:
    """A breach that counts as a SHOULD at most."""
    return replace(item, cap="should") if isinstance(item, Finding) else item


def same(requirement: str, expected: object, observed: object, what: str, *exchanges: int) -> Evidence:
    """Satisfied when two JSON values are equal; a difference of null against absent counts in the strict reading only."""
    difference = first(expected, observed)
    if difference is None:
        return satisfied(requirement)
    expected, observed = difference.shown
    observed_text = f"{difference.path or what}: {observed}"
    expected_text = f"{what}: {difference.path or 'the value'} is {expected}"
    return broken(requirement, expected_text, observed_text, *exchanges, strict_only=difference.only_null)


def as_issued(issued: Mapping[str, object], seen: object) -> object:
    """An assistant message without the ids that a server made up for calls that had none, which is its right."""
    given, calls = issued.get("tool_calls"), seen.get("tool_calls") if isinstance(seen, Mapping) else None
    if not isinstance(seen, Mapping) or not isinstance(given, list) or not isinstance(calls, list):
        return seen
    if len(given) != len(calls) or all(isinstance(call, Mapping) and call.get("id") for call in given):
        return seen
    return {**seen, "tool_calls": [_without_made_up_id(*pair) for pair in zip(given, calls, strict=True)]}


def _without_made_up_id(given: object, seen: object) -> object:
    if not isinstance(given, Mapping) or not isinstance(seen, Mapping) or given.get("id"):
        return seen
    others = {name: value for name, value in seen.items() if name != "id"}
    return {"id": given["id"], **others} if "id" in given else others


def absent_or_null(fields: JsonObject, name: str) -> bool:
    return fields.get(name) is None


def number(value: object) -> float | None:
    """A JSON number, or None; a boolean is none."""
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None
