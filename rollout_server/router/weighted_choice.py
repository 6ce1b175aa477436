"""A random order of backends, in proportion to their weights."""

from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar


class Weighted(Protocol):
    @property
    def weight(self) -> float: ...


W = TypeVar("W", bound=Weighted)


def pick(items: Sequence[W], draw: float) -> W:
    """The item whose share of the interval [0, 1) contains `draw`. Without any weight all are equal."""
    total = sum(item.weight for item in items)
    if total <= 0:
        return items[int(draw * len(items))]
    left = draw * total
    for item in items:
        left -= item.weight
        if left < 0:
            return item
    return next(item for item in reversed(items) if item.weight > 0)  # rounding at the end of the interval


def order(items: Sequence[W], draw: Callable[[], float]) -> list[W]:
    """All items: the first by weight, the second by weight among the rest, and so on."""
    rest, ordered = list(items), []
    while rest:
        chosen = pick(rest, draw())
        rest.remove(chosen)
        ordered.append(chosen)
    return ordered
