"""How many rollouts run, how many wait for their turn, and when to say no."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

RETRY_AFTER_S = 1  # a place is free as soon as any rollout ends, which at capacity is all the time


class FullError(Exception):
    """Everything runs that may run, and everything waits that may wait."""


class Slots:
    """`running` rollouts at a time, in the order in which they came; `waiting` more may be admitted."""

    def __init__(self, running: int, waiting: int) -> None:
        self._free = asyncio.Semaphore(running)
        self.capacity = running + waiting
        self.admitted = 0
        self.running = 0

    def admit(self) -> None:
        """Take a place; whoever took it gives it back with `leave`."""
        if self.is_full():
            raise FullError
        self.admitted += 1

    def leave(self) -> None:
        self.admitted -= 1

    def is_full(self) -> bool:
        return self.admitted >= self.capacity

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[None]:
        """Wait for a free slot and hold it."""
        async with self._free:
            self.running += 1
            try:
                yield
            finally:
                self.running -= 1
