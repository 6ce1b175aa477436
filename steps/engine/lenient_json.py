"""JSON of an untrusted sender: what is not of the kind that is looked for is empty."""

from collections.abc import Mapping, Sequence
from typing import TypeAlias

JSON: TypeAlias = "Mapping[str, JSON] | Sequence[JSON] | str | int | float | bool | None"
JsonObject: TypeAlias = Mapping[str, "JSON"]


def mapping(value: object) -> JsonObject:
    """The members of an object; none of what is no object."""
    return value if isinstance(value, Mapping) else {}


def listed(value: object) -> list[JSON]:
    """The items of a list; none of what is no list."""
    return value if isinstance(value, list) else []


def mappings(value: object) -> list[JsonObject]:
    """The objects of a list."""
    return [one for one in listed(value) if isinstance(one, Mapping)]


def text(value: object) -> str:
    """A string; the empty one for what is none."""
    return value if isinstance(value, str) else ""
