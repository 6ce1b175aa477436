"""How many rollouts a target runs at once: found out before the cases, so that those that are held never take the places of others.

A server with few places is a right server. If more rollouts are held than it has places, every other one waits, and what its case says of
it would be about the suite.
"""

import asyncio
import contextlib

from rollout_conformance.steps.engine.http_client import client
from rollout_conformance.steps.engine.session import Session, WaitTimeout
from rollout_conformance.steps.engine.trace import Trace
from rollout_conformance.steps.peers.script import Reply, Script
from rollout_conformance.steps.profiles.rollout.actions.prepare import ScriptTrainer
from rollout_conformance.steps.profiles.rollout.actions.start import Start
from rollout_conformance.steps.profiles.rollout.context import CaseContext

MOST = 32
STILL_S = 1.0  # no further rollout has begun for so long: the others wait for a place
NAME = "capacity"
HOLD = "until it is known how many run at once"


async def measured(base_url: str, context: CaseContext, wanted: int, patience_s: float) -> int | None:
    """The number of rollouts that ask for their first generation while none of them is answered; None when all `wanted` do."""
    wanted = min(wanted, MOST)
    async with client() as http:
        session = Session(base_url, http, Trace(), patience_s, 0.0)
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


async def _started(session: Session, wanted: int) -> None:
    """Start them, and return when all have begun or no further one does."""
    starting = session.spawn(Start(NAME, wanted, retry_when_busy=False).perform(session))
    loop = asyncio.get_running_loop()
    seen, since, end = 0, loop.time(), loop.time() + session.patience_s
    while _begun(session) < wanted and loop.time() < end:
        await asyncio.sleep(0.02)
        if _begun(session) > seen or not starting.done():
            seen, since = _begun(session), loop.time()
        elif loop.time() - since > STILL_S:
            return


async def _ended(session: Session, begun: int) -> None:
    """Wait for the ends, so that the cases find every place free."""
    with contextlib.suppress(WaitTimeout):
        await session.until(
            lambda: _count(session, "ResultReturned", "CompletedAcked") >= begun, "the ends of these rollouts"
        )


def _begun(session: Session) -> int:
    return _count(session, "ChatAsked")


def _count(session: Session, *names: str) -> int:
    return len({event.rollout for event in session.trace.events if event.name in names})
