"""Patches that several mutants of this server share."""

from typing import Any


def without(name: str) -> Any:
    return lambda value: {key: inner for key, inner in value.items() if key != name}
