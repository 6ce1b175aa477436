"""JSON that anybody may have sent, read without trust: what is not of the kind that is looked for is empty."""

from collections.abc import Mapping
from typing import Any


def mapping(value: Any) -> Mapping[str, Any]:
    """The members of an object; none of what is no object."""
    return value if isinstance(value, Mapping) else {}


def listed(value: Any) -> list[Any]:
    """The items of a list; none of what is no list."""
    return value if isinstance(value, list) else []


def mappings(value: Any) -> list[Mapping[str, Any]]:
    """The objects of a list."""
    return [one for one in listed(value) if isinstance(one, Mapping)]


def text(value: object) -> str:
    return value if isinstance(value, str) else ""
