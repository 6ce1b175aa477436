"""A target that has stopped answering altogether: the run says so and ends, instead of waiting for it in every case that is left.

One that still answers a plain request is not stuck: what hangs is one request, which is for the deadline of its case. That is asked a few
times only without a response to any case between, so that a target on which all requests hang does not cost a deadline for each. Seconds
by which the suite was late itself are no silence of the target; where they are many, the machine starves the target as well, and nothing
is said of it: each case then ends after its own time.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable

from rollout_conformance.steps.engine import lateness
from rollout_conformance.steps.engine.session import LastActivity

LOOK_S = 0.5
MOST_PROBES = 3  # without a response to a case between them
STARVED = 0.25  # of a silence: a suite that was late for so much of it has a machine that is too busy
TIMES = 3  # as long as a silent target is waited for in one case


class Standstill:
    """Watches the last_activity of a target while cases are in flight. `reason` is set once it stands still, and for good. `late` says by how
    many seconds the suite was late since a moment."""

    def __init__(self, last_activity: LastActivity, late: Callable[[float], float] = lateness.never) -> None:
        self.last_activity, self.late = last_activity, late
        self.running: dict[asyncio.Timeout, tuple[float, float]] = {}
        self.reason: str | None = None
        self.answers: Callable[[], Awaitable[bool]] | None = None  # whether the target answers a plain request now
        self.asking = asyncio.Lock()
        self.probes = 0
        self.responses = 0  # that there were after the last probe

    @contextlib.asynccontextmanager
    async def watched(self, patience_s: float) -> AsyncIterator[None]:
        """Ends a case with the target, which is waited for up to `patience_s` at a time. Raises `TimeoutError`."""
        async with asyncio.timeout(None if self.reason is None else 0) as bound:
            self.running[bound] = (asyncio.get_running_loop().time(), patience_s)
            try:
                await asyncio.sleep(0)  # where a bound of nothing ends the case
                yield
            finally:
                del self.running[bound]

    async def watch(self) -> None:
        """Until cancelled, or until the target stands still: then every case in flight is ended."""
        loop = asyncio.get_running_loop()
        while self.reason is None:
            await asyncio.sleep(LOOK_S)
            reason = self._quiet(loop.time())
            if reason is not None and not await self._answers():
                self.reason = reason
        for bound in self.running:
            bound.reschedule(loop.time())

    def has_answered(self) -> None:
        """Called before a case about failures begins, after the target has answered plain requests: what hangs from now on is that case's, however
        many of its kind hung before."""
        self.probes = 0

    async def confirmed(self, reason: str) -> str | None:
        """Why nothing can be judged any more: `reason`, if the target does not answer a plain request either."""
        async with self.asking:
            if self.reason is None and self.answers is not None and not await self.answers():
                self.reason = reason
        return self.reason

    async def _answers(self) -> bool:
        """Whether the target answers a plain request, which counts as activity."""
        if self.last_activity.answers > self.responses:
            self.probes = 0
        if self.answers is None or self.probes == MOST_PROBES:
            return False
        self.probes += 1
        alive = await self.answers()
        self.responses = self.last_activity.answers
        if alive:
            self.last_activity.last = asyncio.get_running_loop().time()
        return alive

    def _quiet(self, now: float) -> str | None:
        """Why the target seems to stand still, if it does."""
        if not self.running:
            return None
        began = min(began for began, _ in self.running.values())
        since = max(self.last_activity.last, began)
        late_s = self.late(since)
        quiet_s = now - since - late_s
        if late_s < STARVED * quiet_s and quiet_s > TIMES * max(patience for _, patience in self.running.values()):
            cases = f"{len(self.running)} case(s) in flight"
            return f"the target has stopped answering: nothing came of it for {quiet_s:.0f} s, with {cases}"
        return None
