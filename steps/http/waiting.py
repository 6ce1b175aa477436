"""To wait for something that no event of the trace shows: it is looked at repeatedly, until it has happened or the time is over."""

import asyncio
from collections.abc import Awaitable, Callable
from time import monotonic

from rollout_conformance.steps.engine.session import Session

LOOK_S = 0.02


async def repeat_until(
    session: Session, attempt: Callable[[], Awaitable[bool]], for_s: float | None = None, every_s: float = LOOK_S
) -> bool:
    """Make an attempt until one succeeds, at least once. False when none has within `for_s` seconds (the patience of the session where
    nothing is given), those by which the suite itself was late not counted."""
    loop = asyncio.get_running_loop()
    began, since = loop.time(), monotonic()
    most_s = session.patience_s if for_s is None else for_s
    while not await attempt():
        if loop.time() > began + most_s * session.patience_share + session.late(since):
            return False
        await asyncio.sleep(every_s)
    return True


async def wait_until(
    session: Session, happened: Callable[[], bool], for_s: float | None = None, every_s: float = LOOK_S
) -> bool:
    """Wait until something has happened. False when the time is over first."""

    async def look() -> bool:
        return happened()

    return await repeat_until(session, look, for_s, every_s)
