"""When a target is still starting, for `--wait` and for the message that suggests it: defined here, and nowhere else."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from rollout_conformance.steps.engine.findings import SuiteError

STATUSES = (425, 429, 502, 503, 504)  # what a server, or a proxy before it, answers to anything as long as it starts
NO_MODEL_YET = (400, 404, 422)  # what a server that lists models, and none so far, answers to a request for one
LOOK_AGAIN_S = 0.2  # between two looks at a target that is still starting
SUGGESTION = "If the target is still starting, `--wait SECONDS` waits for it."
T = TypeVar("T")


class NotUsable(SuiteError):
    """A target that cannot be judged now. `starting` says whether it may be judged later, `broken` whether it failed by itself, so that its log
    may have the reason."""

    def __init__(self, message: str, *, starting: bool = True, broken: bool = False) -> None:
        super().__init__(message)
        self.starting, self.broken = starting, broken


def is_starting(status: int, models: int | None = None) -> bool:
    """Whether the status of a plain request is that of a target which is still starting. `models` is how many it lists, None where it has no list.

    404 is among them as long as no model is listed: frontends whose workers register later, and reverse proxies that do not know
    their services yet, have no such path until then.
    """
    return status in STATUSES or (status == 404 and not models) or (status in NO_MODEL_YET and models == 0)


async def waited_for(look: Callable[[], Awaitable[T]], wait_s: float, began: float | None = None) -> T:
    """What a look at the target gives; it is looked at again as long as it is starting, for at most `wait_s` seconds since `began`. Raises as
    `look` does, with what to do about the wait."""
    deadline = (time.monotonic() if began is None else began) + wait_s
    while True:
        try:
            return await look()
        except NotUsable as error:
            if not error.starting:
                raise
            if time.monotonic() >= deadline:
                raise NotUsable(_advised(str(error), wait_s), starting=True, broken=error.broken) from error
        await asyncio.sleep(min(LOOK_AGAIN_S, max(0.0, deadline - time.monotonic())))


def _advised(message: str, wait_s: float) -> str:
    """The message with what to do, or with what was done."""
    said = message if message.endswith((".", "?", "!")) else f"{message}."
    return f"{said} It was waited for {wait_s:g} s (--wait)." if wait_s else f"{said} {SUGGESTION}"
