"""How long requests to the target took, by what they asked for and by when."""

import re
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from statistics import quantiles

from rollout_conformance.steps.engine.trace import Exchange

IDENTIFIER = re.compile(r"[^/]*\d[^/]*|[^/]{25,}")  # a segment of a path that names one thing among many
VERSION = re.compile(r"v\d+(?:beta|alpha)?\d*")
MOST_CLASSES = 64  # a target may be asked for any path; what is beyond that is counted together
OTHERS = "others"


def request_class(exchange: Exchange) -> str:
    """Method and path, with `{id}` for segments that name one thing among many: `GET /v1/rollout/{id}`."""
    path = exchange.request.path.partition("?")[0]
    segments = [_segment(one) for one in path.split("/")]
    return f"{exchange.request.method} {'/'.join(segments)}"


def _segment(text: str) -> str:
    return "{id}" if IDENTIFIER.fullmatch(text) and not VERSION.fullmatch(text) else text


@dataclass(frozen=True, slots=True)
class Spread:
    """Milliseconds of `count` requests."""

    count: int
    p50_ms: float
    p99_ms: float
    longest_ms: float

    @classmethod
    def of(cls, seconds: Sequence[float]) -> "Spread | None":
        """None of no request at all."""
        if not seconds:
            return None
        cuts = quantiles(seconds, n=100, method="inclusive") if len(seconds) > 1 else [seconds[0]] * 99
        return cls(len(seconds), round(cuts[49] * 1000, 2), round(cuts[98] * 1000, 2), round(max(seconds) * 1000, 2))


@dataclass(slots=True)
class Latencies:
    """Eight bytes a request, so that a soak of hours fits into memory."""

    by_class: dict[str, "array[float]"] = field(default_factory=dict)

    def add(self, exchanges: Iterable[Exchange]) -> list[float]:
        """Count the requests to the target that it answered; gives their seconds."""
        added = []
        for one in exchanges:
            if one.to_target and one.response is not None and one.ended is not None:
                added.append(one.ended - one.began)
                self._of(request_class(one)).append(added[-1])
        return added

    def _of(self, name: str) -> "array[float]":
        if name not in self.by_class and len(self.by_class) >= MOST_CLASSES:
            name = OTHERS
        return self.by_class.setdefault(name, array("d"))

    def spreads(self) -> dict[str, Spread]:
        """By class, those with most requests first."""
        by_count = sorted(self.by_class.items(), key=lambda item: -len(item[1]))
        return {name: spread for name, seconds in by_count if (spread := Spread.of(seconds)) is not None}
