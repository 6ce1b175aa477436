"""The two things that a check can say."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from rollout_conformance.steps.engine.findings import Evidence, Finding, Satisfied
from rollout_conformance.steps.engine.json_diff import first, show

__all__ = ["absent_or_null", "broken", "first", "held", "number", "same", "should", "show"]


def held(requirement: str) -> Satisfied:
    return Satisfied(f"ROLLOUT-{requirement}")


def broken(
    requirement: str, said: str, saw: str, *exchanges: int, strict_only: bool = False, timing: bool = False
) -> Finding:
    return Finding(f"ROLLOUT-{requirement}", said, saw, exchanges, strict_only=strict_only, timing=timing)


def should(item: Evidence) -> Evidence:
    """A breach that counts as a SHOULD at most."""
    return replace(item, cap="should") if isinstance(item, Finding) else item


def same(requirement: str, said: Any, saw: Any, what: str, *exchanges: int) -> Evidence:
    """Satisfied when two JSON values are equal; a difference of null against absent counts in the strict reading only."""
    difference = first(said, saw)
    if difference is None:
        return held(requirement)
    saw_text = f"{difference.path or what}: {show(difference.saw)}"
    said_text = f"{what}: {difference.path or 'the value'} is {show(difference.said)}"
    return broken(requirement, said_text, saw_text, *exchanges, strict_only=difference.only_null)


def absent_or_null(fields: Mapping[str, Any], name: str) -> bool:
    return fields.get(name) is None


def number(value: Any) -> float | None:
    """A JSON number, or None; a boolean is none."""
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None
