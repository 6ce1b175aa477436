"""A soak over time: what was played, what failed, how long requests took and what the target used, interval by interval."""

from dataclasses import asdict, dataclass, field

from rollout_conformance.steps.soak.latencies import Spread
from rollout_conformance.steps.soak.usage import UNKNOWN, Usage

INTERVALS = 120  # of a whole soak: as many as one can see
SHORTEST_S = 1.0


@dataclass(slots=True)
class Interval:
    """From `at_s` seconds after the beginning. `usage` is that at the end of the interval."""

    at_s: float
    plays: int = 0
    failures: int = 0
    seconds: list[float] = field(default_factory=list)
    usage: Usage = UNKNOWN

    def line(self) -> dict[str, object]:
        """The members of this interval in a report."""
        spread = Spread.of(self.seconds)
        shown = {"p50_ms": spread.p50_ms, "p99_ms": spread.p99_ms} if spread else {"p50_ms": None, "p99_ms": None}
        return {
            "at_s": round(self.at_s, 1),
            "plays": self.plays,
            "failures": self.failures,
            **shown,
            **asdict(self.usage),
        }


@dataclass(slots=True)
class Timeline:
    """`interval_s` is the length of each interval."""

    interval_s: float
    intervals: list[Interval] = field(default_factory=list)

    @classmethod
    def over(cls, seconds: float) -> "Timeline":
        return cls(max(SHORTEST_S, seconds / INTERVALS))

    def at(self, now_s: float) -> Interval:
        """The interval of a moment; those before it that nothing happened in are there as well."""
        while len(self.intervals) <= int(now_s / self.interval_s):
            self.intervals.append(Interval(len(self.intervals) * self.interval_s))
        return self.intervals[int(now_s / self.interval_s)]

    def growth(self) -> Usage:
        """By how much what the target uses grew since a quarter of the time, when caches are filled; None for what it does not show."""
        known = [one.usage for one in self.intervals if one.usage != UNKNOWN]
        return known[-1].beyond(known[len(known) // 4]) if len(known) > 1 else UNKNOWN
