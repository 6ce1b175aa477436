"""The running instances of a target: one for each configuration that cases share, a pool for cases that disturb, one of its own where a case
asks for that."""

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field

from rollout_conformance.steps.engine import targets
from rollout_conformance.steps.engine.cases import Case
from rollout_conformance.steps.engine.instance_pool import InstancePool, PooledInstance
from rollout_conformance.steps.engine.target_card import Card
from rollout_conformance.steps.engine.targets import Target

MOST_POOLED, FEW_POOLED = 4, 2
MOST_RESTARTS = 2  # of a shared instance that does not recover
MOST_ENDS = 8  # of a shared instance whose process ended by itself, each of which another one takes the place of
SOON_S = 5.0  # a target that starts within this is cheap to start
STARTS_AT_ONCE = 2
LAST_GRACE_S = 5.0  # for an orderly end when all cases have been played


@dataclass(slots=True)
class Instances:
    """Instances are started when they are first asked for, and ended by `aclose`. `jobs` is how many cases may be in flight, `disturbs` tells
    which cases leave a target otherwise than they found it, `recovered` whether the target at an address became again what it was, within
    so many seconds, `served` waits until one of a variant that was just started serves."""

    spec: str
    card: Card
    jobs: int
    disturbs: Callable[[Case], bool]
    recovered: Callable[[str, float], Awaitable[bool]]
    served: Callable[[str, str], Awaitable[None]]
    stack: contextlib.AsyncExitStack = field(default_factory=contextlib.AsyncExitStack)
    launching: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(STARTS_AT_ONCE))
    started: dict[str, "asyncio.Task[Target]"] = field(default_factory=dict)  # by variant
    pool: InstancePool = field(default_factory=lambda: InstancePool(0))
    weak: set[str] = field(default_factory=set)  # addresses of those that once did not recover in time
    restarts: Counter[str] = field(default_factory=Counter)  # by variant
    ends: Counter[str] = field(default_factory=Counter)  # by variant
    replacing: asyncio.Lock = field(default_factory=asyncio.Lock)
    start_s: float = 0.0  # what the first start of the target took

    async def aclose(self) -> None:
        for launch in self.started.values():
            launch.cancel()  # one that is still starting would be entered into a stack that has been left
        shared = await asyncio.gather(*self.started.values(), return_exceptions=True)
        # All at once: each may take its whole grace, as a server does that waits for connections which it never ends.
        running = [one for one in [*shared, *self.pool.targets()] if isinstance(one, Target)]
        await asyncio.gather(*(one.stop(LAST_GRACE_S) for one in running))
        await self.pool.aclose()
        await self.stack.aclose()

    async def shared(self, variant: str = "") -> Target:
        """The instance of a variant that cases share; started when first asked for. Raises `StartError`."""
        if variant not in self.started:
            self.started[variant] = asyncio.ensure_future(self._launched(self.stack, variant))
        return await asyncio.shield(self.started[variant])

    def is_shared(self, case: Case) -> bool:
        """Whether a case is played on the instance of its variant, beside others."""
        return not (case.alone or self.uses_pool(case))

    def uses_pool(self, case: Case) -> bool:
        """Another configuration is asked by few cases; there those apart come last, and one by one."""
        return self.disturbs(case) and not case.alone and not case.variant and self._can_start()

    @contextlib.asynccontextmanager
    async def of(self, case: Case, apart: bool) -> AsyncIterator[tuple[Target, bool]]:
        """The instance that a case is played on, and whether it is what it was before other cases. That is asked where the case is `apart`:
        nobody else is in flight. Raises `StartError`."""
        if case.alone:
            async with contextlib.AsyncExitStack() as stack:
                yield await self._launched(stack, case.variant), True
        elif self.uses_pool(case):
            async with self._sized_pool().acquire() as pooled:
                yield await self._ready(pooled), True
        else:
            target = await self.shared(case.variant)
            if await self.replaced(case.variant, target):
                target = await self.shared(case.variant)
            yield await self._well(case.variant, target) if apart else (target, True)

    async def _launched(self, stack: contextlib.AsyncExitStack, variant: str) -> Target:
        """Start one instance after the other: several interpreters that start at once all start late."""
        env = {**self.card.env, **(self.card.variants[variant].env if variant else {})}
        async with self.launching:
            began = time.monotonic()
            target = await stack.enter_async_context(targets.running(self.spec, env, self.card.start_s))
            if target.process is not None:
                await self.served(target.base_url, variant)
        self.start_s = self.start_s or time.monotonic() - began
        return target

    def _can_start(self) -> bool:
        return targets.command(self.spec, 0) is not None

    def _sized_pool(self) -> InstancePool:
        if not self.pool.most:
            # Starts take turns: where other configurations have to be started too, each instance more ends the run later.
            few = self.start_s >= SOON_S or self.card.variants
            self.pool.most = min(self.jobs, FEW_POOLED if few else MOST_POOLED)
        return self.pool

    def widen(self) -> None:
        """As many instances as there may be at most: the target leaves requests open, and what its cases do is wait."""
        if self.pool.most:
            self.pool.widen(min(self.jobs, MOST_POOLED))

    async def _ready(self, pooled: PooledInstance) -> Target:
        """The target of a pooled instance, as well as it was when it began; a fresh one where it does not recover."""
        within_s = max(1.0, self.start_s)  # an instance that needs longer is started again in less
        if pooled.target and not await self.recovered(pooled.target.base_url, within_s):
            await pooled.spoilt()
        if pooled.target is None:
            pooled.target = await self._launched(pooled.stack, "")
            await self.recovered(pooled.target.base_url, within_s)
        return pooled.target

    async def _well(self, variant: str, target: Target) -> tuple[Target, bool]:
        """A shared instance before a case that has it to itself, and whether it is what it was. One that is not is replaced, a few times: where
        it soon is what it was again, that helps no more."""
        well = await self._recovers(target)
        if well or not self._can_start() or self.restarts[variant] >= MOST_RESTARTS:
            return target, well
        self.restarts[variant] += 1
        await target.stop()
        del self.started[variant]
        fresh = await self.shared(variant)
        return fresh, await self._recovers(fresh)

    async def replaced(self, variant: str, target: Target) -> bool:
        """Whether another instance has taken the place of a shared one whose process has ended by itself. Raises `StartError`."""
        if not target.is_over:
            return False
        async with self.replacing:
            if (await self.shared(variant)) is not target:
                return True  # for another case that was in flight
            self.ends[variant] += 1
            if self.ends[variant] > MOST_ENDS:
                return False
            del self.started[variant]
            await self.shared(variant)
        return True

    async def _recovers(self, target: Target) -> bool:
        """One that once was not in time is not waited for as long again."""
        within_s = SOON_S if target.base_url in self.weak else 2 * self.card.patience_s
        well = await self.recovered(target.base_url, within_s)
        if not well:
            self.weak.add(target.base_url)
        return well
