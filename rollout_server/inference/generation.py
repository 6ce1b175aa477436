"""A request while it is generated: tokens arrive one by one, are counted, and stop when the client disconnects."""

import asyncio
from collections.abc import AsyncIterator, Coroutine, Sequence
from typing import Any

from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from rollout_conformance.rollout_server.common import sse
from rollout_conformance.rollout_server.inference.metrics import Metrics
from rollout_conformance.rollout_server.inference.sampling import Choice

MEDIA_TYPE = sse.MEDIA_TYPE


class Generation:
    """The choices of one request, generated concurrently. The code that creates one calls `end`, at least once.

    With `sampling` the choices are those of a model, and are known when they have been awaited; with `growing` there is one, which has
    each token when it is sampled.
    """

    def __init__(
        self,
        metrics: Metrics,
        delay_s: float,
        choices: Sequence[Choice],
        prompt_tokens: int,
        sampling: Coroutine[Any, Any, list[Choice]] | None = None,
        growing: AsyncIterator[tuple[Any, int]] | None = None,
    ) -> None:
        self.choices = choices
        self._sampling, self._growing = sampling, growing
        self.done = 0  # tokens of the longest choice
        self.ended = False
        self.metrics = metrics
        self._delay_s = delay_s
        metrics.began(prompt_tokens)

    async def ready(self) -> None:
        if self._sampling is not None:
            sampling, self._sampling = self._sampling, None
            self.choices = await sampling
        if self._growing is not None and not self.choices:
            first, _ = await anext(self._growing)
            self.choices = [first]

    async def tokens(self) -> AsyncIterator[tuple[Choice, int]]:
        """Each token as its choice and its position there."""
        await self.ready()
        async for choice, position in self._newest():
            self.done = position + 1
            self.metrics.generated()
            yield choice, position
        for position in range(self.done, max(len(choice.texts) for choice in self.choices)):
            await asyncio.sleep(self._delay_s)
            self.done = position + 1
            for choice in self.choices:
                if position < len(choice.texts):
                    self.metrics.generated()
                    yield choice, position

    async def _newest(self) -> AsyncIterator[tuple[Choice, int]]:
        """The tokens of a choice that grows, of which `ready` has taken the first."""
        if self._growing is not None:
            yield self.choices[0], 0
            async for choice, position in self._growing:
                yield choice, position

    async def complete(self) -> bool:
        async for _ in self.tokens():
            pass
        return True

    def end(self) -> None:
        if not self.ended:
            self.ended = True
            self.metrics.ended()
            if self._sampling is not None:
                self._sampling.close()  # never awaited: the client left before


class EventStream(StreamingResponse):
    """Server-sent events of a generation, which ends with the last event or when the client disconnects."""

    def __init__(self, generation: Generation, events: AsyncIterator[bytes]) -> None:
        super().__init__(events, media_type=MEDIA_TYPE, headers={"cache-control": "no-cache"})
        self._generation = generation

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._generation.end()
