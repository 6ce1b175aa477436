"""How much may be in flight at once, over all cases; fewer when the target says that it is too many.

A case takes all the slots that it needs at once, so that two cases never wait for each other's.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator

BREATH_S = 1.0  # one flood of refusals is one complaint, and after as long without one there may be room again


class ConcurrencyLimiter:
    """A weighted semaphore, first come first served, whose size halves on a complaint and grows by one after a quiet time."""

    def __init__(self, total: int) -> None:
        self.total = self.most = total
        self.used = 0
        self.waiting: deque[tuple[int, asyncio.Future[None]]] = deque()
        self.shrunk = float("-inf")

    @contextlib.asynccontextmanager
    async def acquire(self, wanted: int) -> AsyncIterator[None]:
        """Hold `wanted` slots, or as many as there are at all."""
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        entry = (wanted, turn)
        self.waiting.append(entry)
        self._admit()
        try:
            await turn
        except asyncio.CancelledError:
            if entry in self.waiting:
                self.waiting.remove(entry)
            elif turn.done() and not turn.cancelled():
                self.used -= wanted
            self._admit()
            raise
        try:
            yield
        finally:
            self.used -= wanted
            self._admit()

    def shrink(self) -> None:
        """The target is busy: half as many from now on, and never none."""
        now = asyncio.get_running_loop().time()
        if now - self.shrunk > BREATH_S:
            self.shrunk = now
            self.total = max(1, min(self.total, self.used) // 2)

    def _grow(self) -> None:
        now = asyncio.get_running_loop().time()
        if self.total < self.most and now - self.shrunk > BREATH_S:
            self.shrunk = now
            self.total += 1

    def _admit(self) -> None:
        """Let in each case that fits; one that is larger than the whole comes in alone."""
        self._grow()
        while self.waiting:
            wanted, turn = self.waiting[0]
            if self.used and self.used + wanted > self.total:
                return
            self.waiting.popleft()
            if not turn.cancelled():
                self.used += wanted
                turn.set_result(None)
