"""How late this process is. Whoever talks with it, or beside it on a busy machine, may take that for a silence of its own making."""

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

TICK_S = 0.1
KEPT = 10_000  # ticks that came late


@dataclass(slots=True)
class Lateness:
    """What is due every tick, and by how much it came too late."""

    late: deque[tuple[float, float]] = field(default_factory=lambda: deque(maxlen=KEPT))

    async def watch(self) -> None:
        while True:
            due = time.monotonic() + TICK_S
            await asyncio.sleep(TICK_S)
            self.note(due, time.monotonic())

    def note(self, due: float, came: float) -> None:
        if came - due > TICK_S:
            self.late.append((came, came - due))

    def since(self, began: float) -> float:
        """The seconds, all together, that this process has stood still since then (`time.monotonic`)."""
        return sum(seconds for came, seconds in self.late if came >= began)


@contextlib.asynccontextmanager
async def watched() -> AsyncIterator[Lateness]:
    lateness = Lateness()
    task = asyncio.ensure_future(lateness.watch())
    try:
        yield lateness
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
