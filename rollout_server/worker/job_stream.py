"""A response that streams the events of a job. The job ends with the response, however that ends."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Protocol

from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from rollout_conformance.rollout_server.common import sse
from rollout_conformance.rollout_server.common.disconnect import until_disconnect
from rollout_conformance.rollout_server.worker.jobs import Ended, Event, Failed
from rollout_conformance.rollout_server.worker.scheduler import Scheduler, Ticket


class EventWriter(Protocol):
    """A dialect: the bytes before the first event, and those of each event."""

    def opening(self) -> Iterator[bytes]: ...

    def event(self, happened: Event) -> Iterator[bytes]: ...


class JobStream(Response):
    media_type = sse.MEDIA_TYPE

    def __init__(self, ticket: Ticket, scheduler: Scheduler, writer: EventWriter, send_timeout_s: float) -> None:
        super().__init__(headers={"cache-control": "no-cache"})
        del self.headers["content-length"]
        self._ticket, self._scheduler, self._writer = ticket, scheduler, writer
        self._send_timeout_s = send_timeout_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await until_disconnect(receive, self._stream(send))
        except TimeoutError:
            return  # the client reads no more; the connection is closed without an end of the body
        finally:
            self._scheduler.abandon(self._ticket)

    async def _stream(self, send: Send) -> None:
        await self._send(send, {"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        async for chunk in self._chunks():
            await self._send(send, {"type": "http.response.body", "body": chunk, "more_body": True})
        await self._send(send, {"type": "http.response.body", "body": b""})

    async def _send(self, send: Send, message: Message) -> None:
        async with asyncio.timeout(self._send_timeout_s):
            await send(message)

    async def _chunks(self) -> AsyncIterator[bytes]:
        for chunk in self._writer.opening():
            yield chunk
        async for event in events(self._ticket):
            for chunk in self._writer.event(event):
                yield chunk


async def events(ticket: Ticket) -> AsyncIterator[Event]:
    """All events of a job, the last included. The scheduler ends every job within its time."""
    while True:
        event = await ticket.events.get()
        yield event
        if isinstance(event, Ended | Failed):
            return
