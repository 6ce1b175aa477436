"""A reverse proxy between two real systems: it forwards every request, and notes what passed. It judges nothing, and changes only what its
recorder changes.

Bodies are forwarded as they arrive, unpacked where they are packed. A connection that is lost on one side is lost on the other.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Protocol

import httpx
from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send

from rollout_conformance.steps.engine import body_limits
from rollout_conformance.steps.engine.body_limits import Cut
from rollout_conformance.steps.engine.http_client import client, headers, transport_fault
from rollout_conformance.steps.engine.trace import Headers, Request, Response
from rollout_conformance.steps.peers import asgi_binding

# RFC 9110, 7.6.1: these belong to one connection. The proxy sets Host and the encodings of the next connection itself.
HOP_BY_HOP = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "proxy-authenticate",
    }
)
NOT_FORWARDED = HOP_BY_HOP | {"host", "content-length", "accept-encoding"}
NOT_RETURNED = HOP_BY_HOP | {"content-encoding"}
LEFT = "the client closed the connection"


@dataclass(frozen=True, slots=True)
class Passed:
    """A request that passed and what became of it: a response, or a fault where there was none, or not all of it."""

    request: Request
    response: Response | None = None
    fault: str | None = None

    @property
    def status(self) -> int | None:
        return self.response.status if self.response is not None and self.fault is None else None


@dataclass(frozen=True, slots=True)
class Route:
    """Where a request is forwarded to, with which body, and who is told of the exchange when it has ended."""

    url: str
    body: bytes
    done: Callable[[Passed], None]


class Router(Protocol):
    def route(self, request: Request) -> Route | None:
        """Where a request goes; None for one that belongs nowhere."""


class ReverseProxy:
    """The ASGI application. `patience_s` bounds each exchange."""

    def __init__(self, router: Router, http: httpx.AsyncClient, patience_s: float) -> None:
        self.router, self.http, self.patience_s = router, http, patience_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        request, whole = await asgi_binding.read_request(scope, receive)
        if not whole:
            return
        route = self.router.route(request) if not isinstance(request.body, Cut) else None
        if route is None:
            too_large = isinstance(request.body, Cut)
            told = body_limits.beyond() if too_large else f"the recorder forwards no {request.method} {request.path}"
            await JSONResponse({"error": {"message": told}}, 413 if too_large else 404)(scope, receive, send)
            return
        await self._between(scope, receive, send, request, route)

    async def _between(self, scope: Scope, receive: Receive, send: Send, request: Request, route: Route) -> None:
        """Forward until one side has had enough. What the recorder hears of is over before the last byte is handed over."""
        note = _Note(request, route.done)
        work = asyncio.ensure_future(self._forward(send, request, route, note))
        gone = asyncio.ensure_future(asgi_binding.disconnected(receive))
        try:
            await asyncio.wait({work, gone}, return_when=asyncio.FIRST_COMPLETED, timeout=self.patience_s)
            if not work.done():
                note.end(LEFT if gone.done() else f"nothing within {self.patience_s:g} s")
            if note.fault is not None:
                asgi_binding.cut(scope)
        finally:
            for task in (work, gone):
                task.cancel()
            await asyncio.gather(work, gone, return_exceptions=True)
            note.end("the recording ended")

    async def _forward(self, send: Send, request: Request, route: Route, note: "_Note") -> None:
        try:
            async with self._opened(request, route) as response:
                note.status, note.headers = response.status_code, headers(response)
                await send(_start(note.status, note.headers))
                async for piece in response.aiter_raw():
                    note.body += piece
                    if note.is_whole:  # the client has all of it with this piece, and may end the recording at once
                        note.end()
                    await send({"type": "http.response.body", "body": piece, "more_body": True})
            note.end()
            await send({"type": "http.response.body", "body": b""})
        except httpx.HTTPError as error:
            note.end(transport_fault(error))

    @contextlib.asynccontextmanager
    async def _opened(self, request: Request, route: Route) -> AsyncIterator[httpx.Response]:
        sent = [(name, value) for name, value in request.headers if name not in NOT_FORWARDED]
        async with self.http.stream(request.method, route.url, headers=sent, content=route.body) as response:
            yield response


class _Note:
    """What is known of one exchange so far. It ends once."""

    def __init__(self, request: Request, done: Callable[[Passed], None]) -> None:
        self.request, self.done = request, done
        self.status: int | None = None
        self.headers: Headers = ()
        self.body = bytearray()
        self.fault: str | None = None
        self.ended = False

    @property
    def is_whole(self) -> bool:
        """Whether the body has all the bytes that its Content-Length announces; a packed one has another length."""
        told = dict(self.headers)
        return "content-encoding" not in told and told.get("content-length") == str(len(self.body))

    def end(self, fault: str | None = None) -> None:
        if self.ended:
            return
        self.ended, self.fault = True, fault
        response = None if self.status is None else Response(self.status, self.headers, bytes(self.body))
        self.done(Passed(self.request, response, fault))


def _start(status: int, sent: Headers) -> dict[str, object]:
    packed = any(name == "content-encoding" for name, _ in sent)
    left_out = NOT_RETURNED | {"content-length"} if packed else NOT_RETURNED
    kept = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in sent if name not in left_out]
    return {"type": "http.response.start", "status": status, "headers": kept}


@contextlib.asynccontextmanager
async def serve(router: Router, host: str, port: int, patience_s: float) -> AsyncIterator[str]:
    """Forward what arrives at an address; gives its URL. Raises `SuiteError` when the address cannot be had."""
    async with client() as http, asgi_binding.serve_app(ReverseProxy(router, http, patience_s), host, port) as url:
        yield url
