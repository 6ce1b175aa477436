"""Whether work grows with its input or with the square of it.

The clock is the CPU time of this thread, which a busy machine does not change. Sizes are four times apart: what is linear takes about
four times as long at the next size, what is quadratic sixteen times. Work that is too steep at a small size is not tried at a large one,
where it would take minutes.
"""

import time
from collections.abc import Callable, Sequence
from functools import partial

SIZES = (1 << 14, 1 << 16, 1 << 18, 1 << 20)
MOST = 10.0  # of 4 and 16; and caches that are too small for a megabyte cost a factor as well
LEAST_S = 0.005  # of less a clock shows nothing
AGAIN = 3

SMALL = (1 << 13, 1 << 15)
LARGE = SIZES[2:]
STEEPEST = 2

Work = Callable[[], object]


def excess(prepared: Callable[[int], Work], sizes: Sequence[int] = SIZES) -> str | None:
    """What shows that work is not linear, None where it is. `prepared` gives the work for a size; preparing it is not measured."""
    return _measured(prepared, sizes)[0]


def _measured(prepared: Callable[[int], Work], sizes: Sequence[int]) -> tuple[str | None, float]:
    """What shows that work is not linear, and the seconds that it took at the last size."""
    before = LEAST_S
    took = 0.0
    for size in sizes:
        work = prepared(size)
        took = _seconds(work)
        if size != sizes[0] and took > MOST * before:
            took = min(took, *(_seconds(work) for _ in range(AGAIN)))
        if size != sizes[0] and took > MOST * before:
            return f"{took:.3f} s at size {size}, {before:.3f} s at a quarter of that", took
        before = max(took, LEAST_S)
    return None, took


def steep(prepared: Callable[[str, int], Work], units: Sequence[str]) -> dict[str, str]:
    """The units of which a run takes more than linear time. What is quadratic shows at 32 kB, where it takes half a second and more; a
    megabyte is tried of the units that take longest there."""
    told: dict[str, str] = {}
    took: dict[str, float] = {}
    for unit in units:
        found, took[unit] = _measured(partial(prepared, unit), SMALL)
        told |= {unit: found} if found else {}
    for unit in sorted(took.keys() - told, key=lambda one: -took[one])[:STEEPEST]:
        found = excess(partial(prepared, unit), LARGE)
        told |= {unit: found} if found else {}
    return told


def _seconds(work: Work) -> float:
    began = time.thread_time()
    work()
    return time.thread_time() - began


def run(unit: str, size: int) -> str:
    """A text of one sign, or of a few, over and over."""
    return (unit * (size // len(unit) + 1))[:size]
