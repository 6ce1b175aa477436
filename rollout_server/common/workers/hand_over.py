"""Hands a request to another process of the group, and its response to the client, byte for byte and as it arrives."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

import aiohttp
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send
from yarl import URL

from rollout_conformance.rollout_server.common.disconnect import disconnected
from rollout_conformance.rollout_server.common.workers.group import Group

IDLE_S = 10.0  # below the keep-alive of the servers: a reused connection must not meet one that is being closed
CONNECTION = (
    frozenset(  # of one connection, not of the message (RFC 9110, 7.6.1); `expect` is answered by the first process
        (
            b"connection",
            b"keep-alive",
            b"proxy-connection",
            b"te",
            b"trailer",
            b"transfer-encoding",
            b"upgrade",
            b"expect",
        )
    )
)
OF_THE_SERVER = frozenset((b"date", b"server"))  # each server adds its own

Headers = list[tuple[bytes, bytes]]
Exchange = AbstractAsyncContextManager[aiohttp.ClientResponse]


@dataclass(frozen=True, slots=True)
class Answer:
    """The whole response of one process."""

    status: int
    headers: Headers
    body: bytes

    def response(self) -> Response:
        return replied(self.status, self.headers, self.body)


class GoneError(Exception):
    """The other process ended before it responded; it is being started again."""


class Messenger:
    """One client for each process, created at the first use: that is after the start of this process."""

    def __init__(self, group: Group) -> None:
        self.group = group
        self._sessions: dict[int, aiohttp.ClientSession] = {}

    def session(self, index: int) -> aiohttp.ClientSession:
        if index not in self._sessions:
            self._sessions[index] = aiohttp.ClientSession(
                connector=aiohttp.UnixConnector(self.group.socket(index), limit=0, keepalive_timeout=IDLE_S),
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=5),
                skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
            )
        return self._sessions[index]

    def request(self, index: int, scope: Scope, body: bytes | AsyncIterator[bytes] | None) -> Exchange:
        path = scope.get("raw_path", scope["path"].encode()).decode("ascii")
        query = scope["query_string"].decode("ascii")
        return self.session(index).request(
            scope["method"],
            URL(f"http://worker{path}{'?' + query if query else ''}", encoded=True),
            headers=[(name.decode("latin-1"), value.decode("latin-1")) for name, value in kept(scope["headers"])],
            data=body,
            allow_redirects=False,
        )

    async def ask(self, index: int, scope: Scope, body: bytes) -> Answer | None:
        """The whole response of one process, None where it is gone."""
        try:
            async with self.request(index, scope, body or None) as response:
                return Answer(response.status, headers_of(response), await response.read())
        except (aiohttp.ClientError, OSError):
            return None

    async def forward(self, index: int, scope: Scope, receive: Receive, send: Send) -> None:
        """Raises `GoneError` where nothing was sent yet. When the client leaves first, so does the request."""
        body = Body(receive, is_expected=has_body(scope["headers"]))
        work = asyncio.ensure_future(self._exchange(index, scope, body, send))
        leaving = asyncio.ensure_future(body.client_left())
        try:
            await asyncio.wait({work, leaving}, return_when=asyncio.FIRST_COMPLETED)
            if work.done():
                work.result()
        finally:
            for task in (work, leaving):
                task.cancel()
            await asyncio.gather(work, leaving, return_exceptions=True)

    async def _exchange(self, index: int, scope: Scope, body: "Body", send: Send) -> None:
        begun = False
        try:
            async with self.request(index, scope, body.chunks() if body.is_expected else None) as response:
                begun = True
                await send({"type": "http.response.start", "status": response.status, "headers": headers_of(response)})
                async for chunk in response.content.iter_any():
                    await send({"type": "http.response.body", "body": chunk, "more_body": True})
                await send({"type": "http.response.body", "body": b"", "more_body": False})
        except (aiohttp.ClientError, OSError) as error:
            if begun:
                raise  # the connection breaks off, as that of the other process did
            raise GoneError from error

    async def close(self) -> None:
        for session in self._sessions.values():
            await session.close()


class Body:
    """The body of a request, forwarded as it arrives."""

    def __init__(self, receive: Receive, is_expected: bool) -> None:
        self.is_expected = is_expected
        self._receive = receive
        self._ended = asyncio.Event()
        self._left = False

    async def chunks(self) -> AsyncIterator[bytes]:
        more = True
        while more:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                self._left = True
                self._ended.set()
                raise ConnectionError("the client left before the end of its body")
            more = message.get("more_body", False)
            if message.get("body"):
                yield message["body"]
        self._ended.set()

    async def client_left(self) -> None:
        if self.is_expected:
            await self._ended.wait()
        if not self._left:
            await disconnected(self._receive)


def kept(headers: Iterable[tuple[bytes, bytes]]) -> Headers:
    return [(name, value) for name, value in headers if name.lower() not in CONNECTION]


def headers_of(response: aiohttp.ClientResponse) -> Headers:
    return [(name, value) for name, value in kept(response.raw_headers) if name.lower() not in OF_THE_SERVER]


def has_body(headers: Iterable[tuple[bytes, bytes]]) -> bool:
    return any(name in (b"content-length", b"transfer-encoding") for name, _ in headers)


def replied(status: int, headers: Headers, body: bytes) -> Response:
    response = Response(status_code=status)
    changed = (b"content-length", *CONNECTION, *OF_THE_SERVER)
    response.body = body
    response.raw_headers = [
        *((name.lower(), value) for name, value in headers if name.lower() not in changed),
        (b"content-length", str(len(body)).encode()),
    ]
    return response


def replay(body: bytes, receive: Receive) -> Receive:
    """What `receive` returned, again, for who reads the body after us."""
    first: Message | None = {"type": "http.request", "body": body, "more_body": False}

    async def again() -> Message:
        nonlocal first
        message, first = first, None
        return message if message is not None else await receive()

    return again
