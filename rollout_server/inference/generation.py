"""A request while it is generated: tokens arrive one by one, are counted, and stop when the client disconnects."""

import asyncio
from collections.abc import AsyncIterator, Sequence

from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from rollout_conformance.rollout_server.common import sse
from rollout_conformance.rollout_server.inference.metrics import Metrics
from rollout_conformance.rollout_server.inference.sampling import Choice

MEDIA_TYPE = sse.MEDIA_TYPE


class Generation:
    """The choices of one request, generated concurrently. Whoever creates one calls `end`, at least once."""

    def __init__(self, metrics: Metrics, delay_s: float, choices: Sequence[Choice], prompt_tokens: int) -> None:
        self.choices = choices
        self.done = 0  # tokens of the longest choice
        self.ended = False
        self.metrics = metrics
        self._delay_s = delay_s
        metrics.began(prompt_tokens)

    async def tokens(self) -> AsyncIterator[tuple[Choice, int]]:
        """Each token as its choice and its position there."""
        for position in range(self.done, max(len(choice.texts) for choice in self.choices)):
            await asyncio.sleep(self._delay_s)
            self.done = position + 1
            for choice in self.choices:
                if position < len(choice.texts):
                    self.metrics.generated()
                    yield choice, position

    async def complete(self) -> bool:
        async for _ in self.tokens():
            pass
        return True

    def end(self) -> None:
        if not self.ended:
            self.ended = True
            self.metrics.ended()


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
