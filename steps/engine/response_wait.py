"""How long the response to one request is waited for.

A target that generates by itself has the whole time. Behind a router the suite plays the backends, and knows when they have sent all
that they will: what does not end soon after that stays open.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

from rollout_conformance.steps.engine import lateness
from rollout_conformance.steps.engine.trace import Trace


@dataclass(slots=True)
class ResponseWait:
    """The time that a response has: `most_s` in all, and `quiet_s` after each sign of progress, once there was one."""

    most_s: float
    quiet_s: float
    silence: asyncio.Timeout

    def progressed(self) -> None:
        """From now on `quiet_s` is waited for the next sign of progress."""
        if not self.silence.expired():
            self.silence.reschedule(asyncio.get_running_loop().time() + self.quiet_s)

    def heard(self) -> None:
        """A part of the response came. By itself it starts no silence: a target that generates may pause."""
        if self.silence.when() is not None:
            self.progressed()

    def told(self, sign: str) -> str:
        """How long was waited, in words that follow "no answer within"; `sign` is what the silence began with."""
        return f"{self.quiet_s:g} s of {sign}" if self.silence.expired() else f"{self.most_s:g} s"


@contextlib.asynccontextmanager
async def response_wait(
    trace: Trace, most_s: float, quiet_s: float, late: Callable[[float], float] = lateness.never
) -> AsyncIterator[ResponseWait]:
    """Ends what it surrounds with `TimeoutError` after `most_s` seconds, not counting those by which the suite was late itself, or once there
    was no sign of progress for `quiet_s`. Whatever a backend of `trace` does is such a sign."""
    async with lateness.limit(most_s, late), asyncio.timeout(None) as silence:
        wait = ResponseWait(most_s, quiet_s, silence)
        trace.at_backends.append(wait.progressed)
        try:
            yield wait
        finally:
            trace.at_backends.remove(wait.progressed)
