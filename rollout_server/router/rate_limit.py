"""Token buckets: how many requests per second a key may make. The caller passes the time."""

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LimitState:
    allowed: bool
    limit: int
    remaining: int
    retry_after: int  # whole seconds, at least one


@dataclass(slots=True)
class Bucket:
    """Full at first. `take` checks and decrements without an `await` in between, so no two requests get the same token."""

    rps: float
    burst: int
    level: float
    at: float

    def take(self, now: float) -> LimitState:
        self.refill(now)
        allowed = self.level >= 1
        if allowed:
            self.level -= 1
        return self.state(allowed)

    def peek(self, now: float) -> LimitState:
        self.refill(now)
        return self.state(True)

    def refill(self, now: float) -> None:
        """Fractions are kept: frequent requests must not lose what was refilled since the last one."""
        self.level = refilled(self.level, self.rps, self.burst, now - self.at)
        self.at = max(self.at, now)

    def state(self, allowed: bool) -> LimitState:
        return LimitState(allowed, self.burst, remaining(self.level), retry_after(self.level, self.rps))


def refilled(level: float, rps: float, burst: int, elapsed: float) -> float:
    return min(float(burst), level + max(0.0, elapsed) * rps)


def remaining(level: float) -> int:
    return max(0, math.floor(level))


def retry_after(level: float, rps: float) -> int:
    return max(1, math.ceil((1 - level) / rps))


def full(rps: float, burst: int | None, now: float) -> Bucket:
    size = burst if burst is not None else max(1, math.ceil(rps))
    return Bucket(rps, size, float(size), now)


class RateLimiter:
    """One bucket for each key, replaced when its limits change."""

    def __init__(self) -> None:
        self._buckets: dict[str, tuple[tuple[float, int | None], Bucket]] = {}

    def of(self, name: str, rps: float, burst: int | None, now: float) -> Bucket:
        limits = (rps, burst)
        known = self._buckets.get(name)
        if known is None or known[0] != limits:
            known = self._buckets[name] = (limits, full(rps, burst, now))
        return known[1]


def bucket_name(key_id: str) -> str:
    """Buckets are per key, not per organisation."""
    return key_id
