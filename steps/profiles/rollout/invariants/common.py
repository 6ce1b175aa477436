"""The two things that a check can say."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from rollout_conformance.steps.engine.findings import Evidence, Finding, Satisfied
from rollout_conformance.steps.engine.json_diff import first, show

__all__ = ["absent_or_null", "broken", "first", "number", "same", "satisfied", "should", "show"]


def satisfied(requirement: str) -> Satisfied:
    return Satisfied(f"ROLLOUT-{requirement}")


def broken(
    requirement: str, expected: str, observed: str, *exchanges: int, strict_only: bool = False, timing: bool = False
) -> Finding:
    return Finding(f"ROLLOUT-{requirement}", expected, observed, exchanges, strict_only=strict_only, timing=timing)


def should(item: Evidence) -> Evidence:
    """A breach that counts as a SHOULD at most."""
    return replace(item, cap="should") if isinstance(item, Finding) else item


def same(requirement: str, expected: Any, observed: Any, what: str, *exchanges: int) -> Evidence:
    """Satisfied when two JSON values are equal; a difference of null against absent counts in the strict reading only."""
    difference = first(expected, observed)
    if difference is None:
        return satisfied(requirement)
    expected, observed = difference.shown
    observed_text = f"{difference.path or what}: {observed}"
    expected_text = f"{what}: {difference.path or 'the value'} is {expected}"
    return broken(requirement, expected_text, observed_text, *exchanges, strict_only=difference.only_null)


def absent_or_null(fields: Mapping[str, Any], name: str) -> bool:
    return fields.get(name) is None


def number(value: Any) -> float | None:
    """A JSON number, or None; a boolean is none."""
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None
