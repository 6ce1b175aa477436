"""Two disturbances at a time: every one meets every other one, each on a job of its own."""

from collections.abc import Callable, Iterator, Sequence
from itertools import combinations_with_replacement

from rollout_conformance.steps.profiles.parts import Document
from rollout_conformance.steps.profiles.worker.dialects import DIALECTS
from rollout_conformance.steps.profiles.worker.exploration.document import (
    LONG,
    SHORT,
    WRONG,
    Item,
    executed,
    scenario,
)

Disturbance = Callable[[str], Sequence[Item]]


def _cancelled(count: int) -> Disturbance:
    return lambda name: [
        executed(name, LONG),
        {"wait_for_tokens": {"of": name, "count": count}},
        {"cancel": {"of": name}},
    ]


def _left(count: int) -> Disturbance:
    return lambda name: [
        executed(name, LONG),
        {"wait_for_tokens": {"of": name, "count": count}},
        {"disconnect": {"of": name}},
    ]


def _cancelled_after_its_end(name: str) -> Sequence[Item]:
    return [{"execute": {"name": name, **SHORT}}, {"cancel": {"of": name, "times": 2}}]


def _left_and_cancelled(name: str) -> Sequence[Item]:
    return [*_left(2)(name), {"cancel": {"of": name}}]


def _never_was(name: str) -> Sequence[Item]:
    return [{"cancel": {"id": f"{{session}}-{name}-never"}}]


def _wrong(name: str) -> Sequence[Item]:
    return [{"execute": {"name": name, **WRONG}}]


def _in_the_background(name: str) -> Sequence[Item]:
    return [executed(name, SHORT)]


BY_ID: Sequence[Disturbance] = (
    _cancelled(0),
    _cancelled(1),
    _cancelled(20),
    _cancelled_after_its_end,
    _left_and_cancelled,
    _never_was,
)
ANY: Sequence[Disturbance] = (_left(0), _left(1), _left(20), _wrong, _in_the_background)


def pairs(dialect: str, number: int) -> Iterator[Document]:
    """Every two disturbances. `number` decides which of both begins."""
    known = (*ANY, *(BY_ID if DIALECTS[dialect].cancel else ()))
    for first, second in combinations_with_replacement(known, 2):
        order = (first, second) if number % 2 else (second, first)
        steps = [item for name, disturbance in zip(("one", "two"), order, strict=True) for item in disturbance(name)]
        rejected = [name for name, disturbance in zip(("one", "two"), order, strict=True) if disturbance is _wrong]
        yield scenario(dialect, steps, [{"rejected": name} for name in rejected])
