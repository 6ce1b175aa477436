"""Answers on the wire: JSON, errors, and a stream that ends with whoever reads it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from contextlib import aclosing
from typing import Any, TypeVar, cast

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from rollout_conformance.rollout_server.common import json_text
from rollout_conformance.rollout_server.router import errors
from rollout_conformance.rollout_server.router.errors import RouterError
from rollout_conformance.rollout_server.router.idempotency_cache import Answer

GONE = 499  # nobody reads it; the number is for the records
T = TypeVar("T")


def json_response(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    return Response(json_text.dumps(value), status, headers, "application/json")


def refused(error: RouterError, request_id: str | None = None) -> Response:
    return json_response(errors.envelope(error, request_id), error.status, error.headers)


def answered(answer: Answer) -> Response:
    """As it came: not even the character set of its type is completed."""
    return Response(answer.body, answer.status, {**answer.headers, "content-type": answer.content_type})


class Streamed(Response):
    """Sends events as they come. `end` is called however it ends: by the last event, or because the client has gone."""

    def __init__(
        self, events: AsyncIterator[bytes], headers: Mapping[str, str], end: Callable[[], Awaitable[None]]
    ) -> None:
        super().__init__(headers={**headers, "content-type": "text/event-stream", "cache-control": "no-cache"})
        del self.headers["content-length"]
        self._events = events
        self._end = end

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await until_gone(receive, self._send(send))
        finally:
            await self._end()

    async def _send(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        async with aclosing(cast(Any, self._events)) as events:
            async for event in events:
                await send({"type": "http.response.body", "body": event, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def unless_gone(request: Request, work: Coroutine[Any, Any, Response]) -> Response:
    return await until_gone(request.receive, work) or Response(status_code=GONE)


async def until_gone(receive: Receive, work: Coroutine[Any, Any, T]) -> T | None:
    """The result, or none when the client went away first; then the work is cancelled, and has ended when this returns."""
    working, left = asyncio.current_task(), False
    assert working is not None

    def leave(leaving: asyncio.Task[None]) -> None:
        nonlocal left
        left = not leaving.cancelled()
        if left:
            working.cancel()

    leaving = asyncio.create_task(gone(receive))
    leaving.add_done_callback(leave)
    try:
        return await work
    except asyncio.CancelledError:
        if not left or working.cancelling() > 1:
            raise  # somebody else wants it to end
        return None
    finally:
        leaving.remove_done_callback(leave)
        leaving.cancel()
        if left:
            working.uncancel()


async def gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
