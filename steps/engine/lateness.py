"""How late the suite itself is: a loop that woke two seconds late cannot say that somebody else was.

The loop that plays the cases also plays the peers, so that whatever is late on it looks to the target like a slow trainer.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from time import monotonic

TICK_S = 0.05
NOTED_S = 0.1  # less is told by no deadline
KEPT = 4096
TOO_LATE_S = 0.25  # more than this can make a deadline of a second be missed


class Lateness:
    """Wakes again and again and notes by how much it woke too late. `busy` is called whenever that was too much."""

    def __init__(self, busy: Callable[[], None] = lambda: None) -> None:
        self.busy = busy
        self.noted: deque[tuple[float, float]] = deque(maxlen=KEPT)
        self.due = 0.0

    async def watch(self) -> None:
        """Until cancelled."""
        while True:
            self.due = monotonic() + TICK_S
            await asyncio.sleep(TICK_S)
            self._note(monotonic())

    def _note(self, now: float) -> None:
        late = now - self.due
        if late > NOTED_S:
            self.noted.append((now, late))
        if late > TOO_LATE_S:
            self.busy()

    def worst(self, since: float) -> float:
        """By how many seconds the loop was late at most after `since` (monotonic time), the present moment included."""
        now = monotonic()
        seen = [late for at, late in reversed(self.noted) if at >= since]
        return max([0.0, now - self.due, *seen]) if self.due else 0.0
