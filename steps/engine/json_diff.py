"""Where two JSON values differ, said with the path and both values; and whether only nulls make the difference."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import orjson

from rollout_conformance.steps.engine.trace import NotJson

ABSENT: Any = type("Absent", (), {"__repr__": lambda self: "absent"})()

EXACT = 2**53
LONGEST = 160  # characters of a value that a message shows; the trace has the rest


@dataclass(frozen=True, slots=True)
class Difference:
    """`path` leads to the first place where `saw` is not what was `said`."""

    path: str
    said: Any
    saw: Any
    only_null: bool

    def __str__(self) -> str:
        return f"{self.path or 'the value'}: {show(self.saw)} instead of {show(self.said)}"


def differences(said: Any, saw: Any, path: str = "") -> Iterator[Difference]:
    """Every place where two JSON values differ. Numbers are equal by value, never to booleans."""
    if isinstance(said, dict) and isinstance(saw, dict):
        yield from _members(said, saw, path)
    elif isinstance(said, list) and isinstance(saw, list):
        yield from _items(said, saw, path)
    elif not _same(said, saw):
        yield Difference(path, said, saw, _nothing(said) and _nothing(saw))


def first(said: Any, saw: Any, path: str = "") -> Difference | None:
    """The first difference that is more than null against absent, else the first of any kind."""
    if _equal(said, saw):
        return None
    found = list(differences(said, saw, path))
    real = next((d for d in found if not d.only_null), None)
    return real or (found[0] if found else None)


def _equal(said: Any, saw: Any) -> bool:
    """The quick answer for what is equal to the letter; a false one only means that the long way decides."""
    try:
        return orjson.dumps(said) == orjson.dumps(saw)
    except TypeError:
        return False


def _members(said: dict[str, Any], saw: dict[str, Any], path: str) -> Iterator[Difference]:
    for key in {**said, **saw}:
        yield from differences(said.get(key, ABSENT), saw.get(key, ABSENT), f"{path}.{key}" if path else key)


def _items(said: list[Any], saw: list[Any], path: str) -> Iterator[Difference]:
    for n in range(max(len(said), len(saw))):
        left = said[n] if n < len(said) else ABSENT
        right = saw[n] if n < len(saw) else ABSENT
        if (left is ABSENT) != (right is ABSENT):
            yield Difference(f"{path}[{n}]", left, right, False)
        else:
            yield from differences(left, right, f"{path}[{n}]")


def _same(said: Any, saw: Any) -> bool:
    if isinstance(said, bool) or isinstance(saw, bool):
        return said is saw
    return bool(said == saw) or (_rounded(said, saw) and _rounded(saw, said))


def _rounded(one: Any, other: Any) -> bool:
    """Beyond 2^53 JSON promises no more than the nearest double (RFC 8259, section 6)."""
    if not isinstance(one, int | float) or not isinstance(other, int | float) or abs(one) <= EXACT:
        return False
    try:
        return float(one) == float(other)
    except OverflowError:
        return False


def _nothing(value: Any) -> bool:
    return value is None or value is ABSENT


def show(value: Any) -> str:
    """A value as a reader of JSON would write it, cut in the middle when it is long."""
    if value is ABSENT or isinstance(value, NotJson):
        return repr(value)
    try:
        text = orjson.dumps(value, default=repr, option=orjson.OPT_PASSTHROUGH_DATACLASS).decode()
    except TypeError:
        text = repr(value)
    if len(text) <= LONGEST:
        return text
    half = LONGEST // 2
    return f"{text[:half]} ... {text[-half:]}"
