"""Whether there are enough backends for the requests that run now."""

from typing import Any, Literal

BUSY = 0.8  # above this a burst exceeds the capacity
IDLE = 0.3  # below this one backend fewer suffices: with two, the other is then at most at 0.6

Advice = Literal["scale_up", "hold", "scale_down"]


def advice(running: int, capacity: int, backends: int) -> Advice:
    if capacity == 0 or running >= BUSY * capacity:
        return "scale_up"
    return "scale_down" if backends > 1 and running <= IDLE * capacity else "hold"


def plan(running: int, backends: int, each: int) -> dict[str, Any]:
    """`each` is the capacity of one backend."""
    capacity = backends * each
    return {
        "running": running,
        "capacity": capacity,
        "backends": backends,
        "advice": advice(running, capacity, backends),
    }
