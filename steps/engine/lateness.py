"""How late the suite itself is: a loop that woke two seconds late cannot prove that the target was.

The loop that plays the cases also plays the peers, so that whatever is late on it looks to the target like a slow peer.
"""

import asyncio
import contextlib
import gc
from collections import deque
from collections.abc import AsyncIterator, Callable
from itertools import takewhile
from time import monotonic

TICK_S = 0.05
NOTED_S = 0.1  # less is told by no deadline
KEPT = 10_000  # ticks that came late
LOOK_AFTER = (20_000, 20, 20)  # new objects, and looks of the generation before: Python's own 700 cost 4 % of a run
TOO_LATE_S = 0.25  # more than this can make a deadline of a second be missed


def set_aside() -> None:
    """Keep the collector of garbage from all that was loaded so far, and have it look at what comes less often. It would read all of it again
    every few seconds, and the loop stands still for that."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*LOOK_AFTER)


class Lateness:
    """Wakes at every tick and notes by how much it woke too late. `busy` is called whenever that was too much."""

    def __init__(self, busy: Callable[[], None] = lambda: None) -> None:
        self.busy = busy
        self.late: deque[tuple[float, float]] = deque(maxlen=KEPT)
        self.due = 0.0

    async def watch(self) -> None:
        """Until cancelled."""
        while True:
            self.due = monotonic() + TICK_S
            await asyncio.sleep(TICK_S)
            self.note(self.due, monotonic())

    def note(self, due: float, came: float) -> None:
        late_s = came - due
        if late_s > NOTED_S:
            self.late.append((came, late_s))
        if late_s > TOO_LATE_S:
            self.busy()

    def worst(self, began: float) -> float:
        """By how many seconds the loop was late at most since `began` (`time.monotonic`), the present moment included."""
        seen = [late_s for _, late_s in takewhile(lambda late: late[0] >= began, reversed(self.late))]
        return max([0.0, monotonic() - self.due, *seen]) if self.due else 0.0

    def since(self, began: float) -> float:
        """The seconds, all together, by which it was late since then."""
        return sum(late_s for _, late_s in takewhile(lambda late: late[0] >= began, reversed(self.late)))


def never(began: float) -> float:
    """The lateness of a suite that is not watched."""
    return 0.0


@contextlib.asynccontextmanager
async def limit(seconds: float, late: Callable[[float], float]) -> AsyncIterator[None]:
    """`asyncio.timeout`, which does not count the seconds by which the suite was late itself: `late` says how many since a moment."""
    loop = asyncio.get_running_loop()
    began, end = monotonic(), loop.time() + seconds
    async with asyncio.timeout_at(end) as timeout:

        def extend() -> None:
            if timeout.expired():  # after a pause of the loop, both are due in the same turn
                return
            now = end + late(began)
            if now - (timeout.when() or now) > NOTED_S:
                timeout.reschedule(now)
                again.append(loop.call_at(now - TICK_S, extend))

        again = [loop.call_at(end - TICK_S, extend)]
        try:
            yield
        finally:
            again[-1].cancel()


@contextlib.asynccontextmanager
async def watched(busy: Callable[[], None] = lambda: None) -> AsyncIterator[Lateness]:
    lateness = Lateness(busy)
    task = asyncio.ensure_future(lateness.watch())
    try:
        yield lateness
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
