"""A request on a reused connection that the server closes at that moment, sent once more on a fresh one.

A server may close an idle connection at any time, also while a request is on its way (RFC 9112, section 9.3.1). One whose loop is blocked
for longer than its keep-alive timeout does so after it was sent the request. That is no fault, and what the request would have shown is
not known.
"""

from collections.abc import Callable
from contextvars import ContextVar
from typing import TYPE_CHECKING

import httpx

if TYPE_CHECKING:
    from types import SimpleNamespace

    import aiohttp

_reused: ContextVar[list[bool]] = ContextVar("reused")


def tracing() -> "aiohttp.TraceConfig":
    """Notes for the request of this context that its connection was used before."""
    import aiohttp

    async def noted(session: aiohttp.ClientSession, context: "SimpleNamespace", parameters: object) -> None:
        _reused.get([]).append(True)

    config = aiohttp.TraceConfig()
    config.on_connection_reuseconn.append(noted)
    return config


class FreshOnce(httpx.AsyncBaseTransport):
    """Sends a request again, once and on a connection of its own, when a reused one is closed before anything of the response has come.
    `fresh` makes a transport that reuses none."""

    def __init__(self, inner: httpx.AsyncBaseTransport, fresh: Callable[[], httpx.AsyncBaseTransport]) -> None:
        self.inner, self.fresh = inner, fresh
        self.made: httpx.AsyncBaseTransport | None = None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        seen: list[bool] = []
        token = _reused.set(seen)
        try:
            return await self.inner.handle_async_request(request)
        except (httpx.HTTPError, OSError) as error:
            if not seen or not isinstance(request.stream, httpx.ByteStream) or not _closed_before_response(error):
                raise
        finally:
            _reused.reset(token)
        self.made = self.made or self.fresh()
        return await self.made.handle_async_request(request)

    async def aclose(self) -> None:
        await self.inner.aclose()
        if self.made is not None:
            await self.made.aclose()


def _closed_before_response(error: BaseException) -> bool:
    import aiohttp

    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, aiohttp.ServerDisconnectedError):
            return isinstance(cause.message, str)  # else it holds the part of a response that did come
        if isinstance(cause, ConnectionResetError | BrokenPipeError | aiohttp.ClientOSError):
            return True
        cause = cause.__cause__
    return False
