"""Whether work grows with its input or with the square of it.

The clock is the CPU time of this thread, which a busy machine does not change. Sizes are four times apart: what is linear takes about
four times as long at the next size, what is quadratic sixteen times. Work that is too steep at a small size is not tried at a large one,
where it would take minutes.
"""

import time
from collections.abc import Callable, Sequence

SIZES = (1 << 14, 1 << 16, 1 << 18, 1 << 20)
MOST = 10.0  # of 4 and 16; and caches that are too small for a megabyte cost a factor as well
LEAST_S = 0.005  # of less a clock shows nothing
AGAIN = 3

Work = Callable[[], object]


def excess(prepared: Callable[[int], Work], sizes: Sequence[int] = SIZES) -> str | None:
    """What shows that work is not linear, None where it is. `prepared` gives the work for a size; preparing it is not measured."""
    before = LEAST_S
    for size in sizes:
        work = prepared(size)
        took = _seconds(work)
        if size != sizes[0] and took > MOST * before:
            took = min(took, *(_seconds(work) for _ in range(AGAIN)))
        if size != sizes[0] and took > MOST * before:
            return f"{took:.3f} s at size {size}, {before:.3f} s at a quarter of that"
        before = max(took, LEAST_S)
    return None


def _seconds(work: Work) -> float:
    began = time.thread_time()
    work()
    return time.thread_time() - began


def run(unit: str, size: int) -> str:
    """A text of one sign, or of a few, over and over."""
    return (unit * (size // len(unit) + 1))[:size]
