"""How many rollouts a target runs at the same time: measured before the cases, so that rollouts that the trainer holds never take the slots of
others.

A server with few slots is correct. If more rollouts were held than it has slots, every other one would wait, and its case would judge the suite.
"""

import asyncio
import contextlib
from dataclasses import dataclass
from typing import Any

from rollout_conformance.steps.engine.http_client import client
from rollout_conformance.steps.engine.session import Session, WaitTimeout
from rollout_conformance.steps.engine.trace import Trace
from rollout_conformance.steps.http.waiting import wait_until
from rollout_conformance.steps.peers.script import Reply, Script
from rollout_conformance.steps.profiles.rollout.actions.prepare import ScriptTrainer
from rollout_conformance.steps.profiles.rollout.actions.start import Start
from rollout_conformance.steps.profiles.rollout.context import CaseContext, RolloutSession

MOST = 32
STILL_S = 1.0  # no further rollout has begun for so long: the others wait for a slot
NAME = "capacity"
HOLD = "until it is known how many run at the same time"


async def measured(base_url: str, context: CaseContext, wanted: int, patience_s: float) -> int | None:
    """The number of rollouts that request their first generation while none of these is answered; None when all `wanted` do."""
    wanted = min(wanted, MOST)
    async with client(headers=context.card.headers) as http:
        session: RolloutSession = Session(base_url, http, Trace(), patience_s, 0.0)
        session.context = context
        try:
            await ScriptTrainer(Script((Reply(text="Hello.", hold=HOLD),)), NAME).perform(session)
            await _started(session, wanted)
            begun = _begun(session)
            session.hold(HOLD).set()
            await _ended(session, begun)
        finally:
            await session.close()
    return begun if 0 < begun < wanted else None


async def _started(session: RolloutSession, wanted: int) -> None:
    """Start them, and return when all have begun or no further one does."""
    starting = session.spawn(Start(NAME, wanted, retry_when_busy=False).perform(session))
    growth = _Growth(session, wanted, starting)
    await wait_until(session, growth.has_stopped)


@dataclass(slots=True)
class _Growth:
    """How many rollouts have begun, of those that are being started."""

    session: RolloutSession
    wanted: int
    starting: asyncio.Task[Any]
    seen: int = 0
    since: float = 0.0

    def has_stopped(self) -> bool:
        """Whether all have begun, or no further one has for a while although all start requests were answered."""
        begun, now = _begun(self.session), asyncio.get_running_loop().time()
        if begun > self.seen or not self.starting.done() or not self.since:
            self.seen, self.since = begun, now
        return begun >= self.wanted or now - self.since > STILL_S


async def _ended(session: RolloutSession, begun: int) -> None:
    """Wait for the ends, so that the cases find every slot free."""
    with contextlib.suppress(WaitTimeout):
        await session.until(
            lambda: _count(session, "ResultReturned", "CompletedAcknowledged") >= begun, "the ends of these rollouts"
        )


def _begun(session: RolloutSession) -> int:
    return _count(session, "GenerationRequested")


def _count(session: RolloutSession, *names: str) -> int:
    return len({event.rollout for event in session.trace.events if event.name in names})
