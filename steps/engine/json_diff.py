"""Where two JSON values differ, said with the path and both values; and whether only nulls make the difference."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import takewhile

import orjson

from rollout_conformance.steps.engine.trace import NotJson

ABSENT: object = type("Absent", (), {"__repr__": lambda self: "absent"})()

EXACT = 2**53
COMPARED = 1 << 20  # characters in which the first difference is looked for
LONGEST = 160  # characters of a value that a message shows; the trace has the rest


@dataclass(frozen=True, slots=True)
class Difference:
    """`path` leads to the first place where `observed` is not what is `expected`."""

    path: str
    expected: object
    observed: object
    only_null: bool

    def __str__(self) -> str:
        expected, observed = self.shown
        return f"{self.path or 'the value'}: {observed} instead of {expected}"

    @property
    def shown(self) -> tuple[str, str]:
        """Both values as text: long strings are cut around the first character in which they differ."""
        return side_by_side(self.expected, self.observed)


def differences(expected: object, observed: object, path: str = "") -> Iterator[Difference]:
    """Every place where two JSON values differ. Numbers are equal by value, never to booleans."""
    if isinstance(expected, dict) and isinstance(observed, dict):
        yield from _members(expected, observed, path)
    elif isinstance(expected, list) and isinstance(observed, list):
        yield from _items(expected, observed, path)
    elif not _same(expected, observed):
        yield Difference(path, expected, observed, _nothing(expected) and _nothing(observed))


def first(expected: object, observed: object, path: str = "") -> Difference | None:
    """The first difference that is more than null against absent, else the first of any kind."""
    if _equal(expected, observed):
        return None
    found = list(differences(expected, observed, path))
    real = next((d for d in found if not d.only_null), None)
    return real or (found[0] if found else None)


def _equal(expected: object, observed: object) -> bool:
    """The quick answer for what is equal to the letter; a false one only means that the long way decides."""
    try:
        return orjson.dumps(expected) == orjson.dumps(observed)
    except TypeError:
        return False


def _members(expected: dict[str, object], observed: dict[str, object], path: str) -> Iterator[Difference]:
    for key in {**expected, **observed}:
        yield from differences(expected.get(key, ABSENT), observed.get(key, ABSENT), f"{path}.{key}" if path else key)


def _items(expected: list[object], observed: list[object], path: str) -> Iterator[Difference]:
    for n in range(max(len(expected), len(observed))):
        left = expected[n] if n < len(expected) else ABSENT
        right = observed[n] if n < len(observed) else ABSENT
        if (left is ABSENT) != (right is ABSENT):
            yield Difference(f"{path}[{n}]", left, right, False)
        else:
            yield from differences(left, right, f"{path}[{n}]")


def _same(expected: object, observed: object) -> bool:
    if isinstance(expected, bool) or isinstance(observed, bool):
        return expected is observed
    return bool(expected == observed) or (_rounded(expected, observed) and _rounded(observed, expected))


def _rounded(one: object, other: object) -> bool:
    """Beyond 2^53 JSON promises no more than the nearest double (RFC 8259, section 6)."""
    if not isinstance(one, int | float) or not isinstance(other, int | float) or abs(one) <= EXACT:
        return False
    try:
        return float(one) == float(other)
    except OverflowError:
        return False


def _nothing(value: object) -> bool:
    return value is None or value is ABSENT


def show(value: object) -> str:
    """A value as a reader of JSON would write it, cut in the middle when it is long."""
    text = _text(value)
    if len(text) <= LONGEST:
        return text
    half = LONGEST // 2
    return f"{text[:half]} ... {text[-half:]}"


def _text(value: object) -> str:
    if value is ABSENT or isinstance(value, NotJson):
        return repr(value)
    try:
        return orjson.dumps(value, default=repr, option=orjson.OPT_PASSTHROUGH_DATACLASS).decode()
    except TypeError:
        return repr(value)


def side_by_side(expected: object, observed: object) -> tuple[str, str]:
    """Two values as JSON, each at most `LONGEST` characters around the first character in which they differ."""
    one, other = _text(expected), _text(observed)
    if max(len(one), len(other)) <= LONGEST:
        return one, other
    start = max(0, _shared_length(one, other) - LONGEST // 2)
    return _window(one, start), _window(other, start)


def _shared_length(one: str, other: str) -> int:
    """How many characters two texts have in common at their beginning."""
    pairs = zip(one[:COMPARED], other[:COMPARED], strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))


def _window(text: str, start: int) -> str:
    if len(text) <= LONGEST:
        return text
    end = start + LONGEST
    return f"{'...' if start else ''}{text[start:end]}{'...' if end < len(text) else ''}"
