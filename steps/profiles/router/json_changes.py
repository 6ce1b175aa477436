"""What became of JSON on its way through a router. Stricter than two texts of one value need be: the last digit of a seed makes a sample."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from rollout_conformance.steps.engine.json_diff import ABSENT, Difference

HUGE = 2**64  # no engine reads an integer beyond it
OWN_AFFAIR = ("metadata",)  # a parameter that routers have a meaning of their own for


def changes(said: Any, saw: Any, path: str = "") -> Iterator[Difference]:
    """Members that are not what they were, each with where it is. Others may have been added."""
    if isinstance(said, Mapping) and isinstance(saw, Mapping):
        for name, value in said.items():
            yield from changes(value, saw.get(name, ABSENT), f"{path}.{name}" if path else name)
    elif isinstance(said, list) and isinstance(saw, list) and len(said) == len(saw):
        for n, (one, other) in enumerate(zip(said, saw, strict=True)):
            yield from changes(one, other, f"{path}[{n}]")
    elif not _same(said, saw):
        yield Difference(path, said, saw, _nothing(said) and _nothing(saw))


def harmless(change: Difference) -> bool:
    """Whether a router may have its reasons: a number that JSON does not promise to keep, a parameter that is its own."""
    return change.path.partition(".")[0] in OWN_AFFAIR or (type(change.said) is int and abs(change.said) >= HUGE)


def _same(said: Any, saw: Any) -> bool:
    """Equal as JSON: 0 and 0.0 are one number, false and 0 are not."""
    if said is ABSENT or saw is ABSENT:
        return said is saw
    if type(said) is bool or type(saw) is bool:
        return said is saw
    return bool(said == saw) or json.dumps(said, sort_keys=True) == json.dumps(saw, sort_keys=True)


def _nothing(value: Any) -> bool:
    return value is None or value is ABSENT
