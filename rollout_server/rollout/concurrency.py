"""How many rollouts run, how many wait, and when a start is rejected."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

RETRY_AFTER_S = 1  # a slot is released as soon as any rollout ends, which at capacity happens all the time


class CapacityError(Exception):
    """The limits of running and of waiting rollouts are reached."""


class Slots:
    """`running` rollouts at a time, first come, first served; `waiting` more may be admitted."""

    def __init__(self, running: int, waiting: int) -> None:
        self._free = asyncio.Semaphore(running)
        self.capacity = running + waiting
        self.admitted = 0
        self.running = 0

    def admit(self) -> None:
        """Admit one rollout. Raises `CapacityError`; the caller calls `leave` when the rollout has been reported."""
        if self.is_full():
            raise CapacityError
        self.admitted += 1

    def leave(self) -> None:
        self.admitted -= 1

    def close(self) -> None:
        """At the end of the process."""

    def is_full(self) -> bool:
        return self.admitted >= self.capacity

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[None]:
        """Wait for a slot; it is released at the end of the block."""
        async with self._free:
            self.running += 1
            try:
                yield
            finally:
                self.running -= 1
