"""Whether there are enough backends, from how much runs on them now."""

from typing import Any, Literal

BUSY = 0.8  # above this, a burst finds no room
IDLE = 0.3  # below this, one backend fewer would do: with two, the other is then at most at 0.6

Advice = Literal["scale_up", "hold", "scale_down"]


def advice(running: int, capacity: int, backends: int) -> Advice:
    if capacity == 0 or running >= BUSY * capacity:
        return "scale_up"
    return "scale_down" if backends > 1 and running <= IDLE * capacity else "hold"


def plan(running: int, backends: int, each: int) -> dict[str, Any]:
    """`each` is what one backend runs well at the same time."""
    capacity = backends * each
    return {
        "running": running,
        "capacity": capacity,
        "backends": backends,
        "advice": advice(running, capacity, backends),
    }
