"""The lines of a soak over time, as points of small charts that need no script."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from rollout_conformance.steps.engine.report_file import SoakInterval, SoakLine

WIDTH, HEIGHT = 640, 80  # of a chart, in units of its own
Value = Callable[[SoakInterval], float | None]
ROWS: tuple[tuple[str, str, Value], ...] = (
    ("p99 of requests", "ms", lambda one: one.p99_ms),
    ("p50 of requests", "ms", lambda one: one.p50_ms),
    ("plays", "an interval", lambda one: one.plays),
    ("failed plays", "an interval", lambda one: one.failures),
    ("memory of the target", "MiB", lambda one: one.memory_mib),
    ("open files and connections", "", lambda one: one.open_files),
)


@dataclass(frozen=True, slots=True)
class Chart:
    """`points` are those of an SVG polyline, from 0 to the largest value; `first` and `last` are the values at both ends."""

    title: str
    unit: str
    points: str
    first: float
    last: float
    largest: float


def charts(soak: SoakLine) -> Iterator[Chart]:
    """One a measure that the soak has."""
    for title, unit, value in ROWS:
        known = [(one.at_s, found) for one in soak.intervals if (found := value(one)) is not None]
        if len(known) > 1 and any(found for _, found in known):
            yield _chart(title, unit, known)


def _chart(title: str, unit: str, known: Sequence[tuple[float, float]]) -> Chart:
    longest, largest = max(at for at, _ in known), max(value for _, value in known)
    points = (f"{at / longest * WIDTH:.1f},{HEIGHT * (1 - value / largest):.1f}" for at, value in known)
    return Chart(title, unit, " ".join(points), known[0][1], known[-1][1], largest)
