"""Responses: JSON, errors, and a stream that ends when its client disconnects."""

from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from contextlib import aclosing
from typing import Any, cast

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from rollout_conformance.rollout_server.common import sse
from rollout_conformance.rollout_server.common.disconnect import CLIENT_CLOSED_REQUEST, until_disconnect
from rollout_conformance.rollout_server.common.errors import ApiError
from rollout_conformance.rollout_server.common.responses import json_response
from rollout_conformance.rollout_server.router import errors
from rollout_conformance.rollout_server.router.idempotency_cache import StoredResponse


def error_response(error: ApiError, request_id: str | None = None) -> Response:
    return json_response(errors.envelope(error, request_id), error.status, error.headers)


def to_response(stored: StoredResponse) -> Response:
    """Unchanged: Starlette would add a charset to the content type."""
    return Response(stored.body, stored.status, {**stored.headers, "content-type": stored.content_type})


class EventStream(Response):
    """Sends events as they arrive. `end` is called after the last event and after a disconnect."""

    def __init__(
        self, events: AsyncIterator[bytes], headers: Mapping[str, str], end: Callable[[], Awaitable[None]]
    ) -> None:
        super().__init__(headers={**headers, "content-type": sse.MEDIA_TYPE, "cache-control": "no-cache"})
        del self.headers["content-length"]
        self._events = events
        self._end = end

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await until_disconnect(receive, self._send(send))
        finally:
            await self._end()

    async def _send(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        async with aclosing(cast(Any, self._events)) as events:
            async for event in events:
                await send({"type": "http.response.body", "body": event, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def or_client_disconnected(request: Request, work: Coroutine[Any, Any, Response]) -> Response:
    return await until_disconnect(request.receive, work) or Response(status_code=CLIENT_CLOSED_REQUEST)
