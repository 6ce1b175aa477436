"""Instances of the target beside the shared ones, for cases that leave a target otherwise than they found it.

Each plays one case at a time. One that does not become again what it was is ended, and the next case gets a fresh one.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from rollout_conformance.steps.engine.targets import Target


@dataclass(slots=True)
class PooledInstance:
    """One instance and what ends it; there is none before the first case, and after one that spoilt it."""

    stack: contextlib.AsyncExitStack
    target: Target | None = None

    async def spoilt(self) -> None:
        self.target = None
        await self.stack.aclose()


@dataclass(slots=True)
class InstancePool:
    """At most `most` instances; the next case takes the one that became free first."""

    most: int
    free: "asyncio.Queue[PooledInstance]" = field(default_factory=asyncio.Queue)
    made: list[PooledInstance] = field(default_factory=list)

    @contextlib.asynccontextmanager
    async def acquire(self) -> AsyncIterator[PooledInstance]:
        if self.free.empty() and len(self.made) < self.most:
            self._make()
        pooled = await self.free.get()
        try:
            yield pooled
        finally:
            self.free.put_nowait(pooled)

    def _make(self) -> None:
        self.made.append(PooledInstance(contextlib.AsyncExitStack()))
        self.free.put_nowait(self.made[-1])

    def widen(self, most: int) -> None:
        """Have up to `most` instances from now on, also for the cases that wait for one already."""
        self.most = max(self.most, most)
        while len(self.made) < self.most:
            self._make()

    def targets(self) -> list[Target]:
        """Those that are running."""
        return [pooled.target for pooled in self.made if pooled.target is not None]

    async def aclose(self) -> None:
        for pooled in self.made:
            await pooled.spoilt()
