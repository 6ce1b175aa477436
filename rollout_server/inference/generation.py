"""A request while it is generated: tokens come one after the other, are counted, and stop coming when nobody is there any more."""

import asyncio
from collections.abc import AsyncIterator, Coroutine, Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from rollout_conformance.rollout_server.inference.metrics import Metrics
from rollout_conformance.rollout_server.inference.sampling import Choice


class Run:
    """The choices of one request, generated side by side. Whoever begins a run ends it, once or more often."""

    def __init__(self, metrics: Metrics, delay_s: float, choices: Sequence[Choice], prompt_tokens: int) -> None:
        self.choices = choices
        self.done = 0  # tokens of the longest choice
        self.ended = False
        self.metrics = metrics
        self._delay_s = delay_s
        metrics.began(prompt_tokens)

    async def tokens(self) -> AsyncIterator[tuple[Choice, int]]:
        """Each token as the choice that it belongs to and its place there."""
        for place in range(self.done, max(len(choice.texts) for choice in self.choices)):
            await asyncio.sleep(self._delay_s)
            self.done = place + 1
            for choice in self.choices:
                if place < len(choice.texts):
                    self.metrics.generated()
                    yield choice, place

    async def whole(self) -> None:
        async for _ in self.tokens():
            pass

    def end(self) -> None:
        if not self.ended:
            self.ended = True
            self.metrics.ended()


MEDIA_TYPE = "text/event-stream"


class Streamed(StreamingResponse):
    """Server-sent events of a run, which ends with them: by the last one, or because the client has gone."""

    def __init__(self, run: Run, events: AsyncIterator[bytes]) -> None:
        super().__init__(events, media_type=MEDIA_TYPE, headers={"cache-control": "no-cache"})
        self._run = run

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._run.end()


async def unless_left(request: Request, work: Coroutine[Any, Any, None]) -> bool:
    """Do the work while the client waits for it. False when it went away before the end."""
    working, leaving = asyncio.create_task(work), asyncio.create_task(gone(request))
    try:
        await asyncio.wait({working, leaving}, return_when=asyncio.FIRST_COMPLETED)
        return working.done()
    finally:
        working.cancel()
        leaving.cancel()
        await asyncio.gather(working, leaving, return_exceptions=True)


async def gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
