"""How JSON changed on its way through a router. Stricter than equality of JSON numbers: the last digit of a seed changes the sample."""

import json
from collections.abc import Iterator, Mapping

from rollout_conformance.steps.engine.json_diff import ABSENT, Difference

HUGE = 2**64  # no inference server reads an integer beyond it
OWN_MEANING = ("metadata",)  # parameters to which routers give a meaning of their own


def changes(expected: object, observed: object, path: str = "") -> Iterator[Difference]:
    """Members whose value has changed, each with its path. Others may have been added."""
    if isinstance(expected, Mapping) and isinstance(observed, Mapping):
        for name, value in expected.items():
            yield from changes(value, observed.get(name, ABSENT), f"{path}.{name}" if path else name)
    elif isinstance(expected, list) and isinstance(observed, list) and len(expected) == len(observed):
        for n, (one, other) in enumerate(zip(expected, observed, strict=True)):
            yield from changes(one, other, f"{path}[{n}]")
    elif not _same(expected, observed):
        yield Difference(path, expected, observed, _nothing(expected) and _nothing(observed))


def harmless(change: Difference) -> bool:
    """Whether a router may change it for a reason: a number that JSON need not keep, or a parameter with a meaning of its own."""
    return change.path.partition(".")[0] in OWN_MEANING or (
        type(change.expected) is int and abs(change.expected) >= HUGE
    )


def _same(expected: object, observed: object) -> bool:
    """Equal as JSON: 0 and 0.0 are one number, false and 0 are not."""
    if expected is ABSENT or observed is ABSENT:
        return expected is observed
    if type(expected) is bool or type(observed) is bool:
        return expected is observed
    return bool(expected == observed) or json.dumps(expected, sort_keys=True) == json.dumps(observed, sort_keys=True)


def _nothing(value: object) -> bool:
    return value is None or value is ABSENT
