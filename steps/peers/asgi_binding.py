"""The scripted trainer on a real socket: Starlette on uvicorn.

A broken connection must be a real one, so the binding cuts the transport that a request came over.
"""

import asyncio
import contextlib
import logging
import socket
from collections.abc import AsyncIterator, Iterable, Iterator
from typing import Protocol, TypeGuard

import uvicorn
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from rollout_conformance.steps.engine import body_limits
from rollout_conformance.steps.engine.body_limits import Cut
from rollout_conformance.steps.engine.findings import SuiteError
from rollout_conformance.steps.engine.trace import Headers, Request, Response
from rollout_conformance.steps.peers import connections


class Delivery(Protocol):
    """How one response is sent, and what is called when it was."""

    @property
    def response(self) -> Response: ...
    @property
    def loss(self) -> str | None: ...
    @property
    def drip(self) -> bool: ...
    @property
    def delay_s(self) -> float: ...
    @property
    def hold(self) -> asyncio.Event | None: ...
    def delivered(self) -> None: ...
    def failed(self) -> None: ...
    def abandoned(self) -> None: ...


class PacedDelivery(Delivery, Protocol):
    """A response that is sent in pieces, some time apart."""

    @property
    def pieces(self) -> Iterable[bytes]: ...
    @property
    def pace_s(self) -> float: ...
    @property
    def dies(self) -> bool: ...
    @property
    def stalls(self) -> bool: ...
    def passed(self, piece: bytes) -> None: ...


class Peer(Protocol):
    """What can be served: it decides how one request is answered."""

    def receive(self, request: Request) -> Delivery: ...


ABANDONED = "abandoned"  # the label of exchanges that belong to no rollout, because they never came to be
STALL_S = 120.0  # a stalled body outlives every deadline that a target may reasonably have, yet not the run
TORN_S, MOST_TORN = (
    0.02,
    5,
)  # a piece that ends within a character is alone on the connection for so long; how many are cut so
DRIP_BYTES, MOST_DRIPS = 7, 40  # each piece waits for a turn of the loop, and a busy one turns ten times a second
BODILESS = (204, 304)
SILENT = (
    "stall",
    "silence",
)  # the losses after which the connection stays open, with and without the headers of a response


class PeerApp:
    """The ASGI face of a scripted trainer. Raw ASGI, because a response that breaks off is no `Response`."""

    def __init__(self, trainer: Peer) -> None:
        self.trainer = trainer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        request, whole = await read_request(scope, receive)
        if not whole:
            abandoned(self.trainer, request)
            return
        send = _closing(send) if isinstance(request.body, Cut) else send
        gone = asyncio.ensure_future(disconnected(receive))
        try:
            await _perform(self.trainer.receive(request), scope, send, gone)
        except Exception as error:
            failed(self.trainer, request, error)
            raise
        finally:
            gone.cancel()


def abandoned(peer: Peer, request: Request) -> None:
    """Note a request whose connection was lost before its body was whole: it was never made, and nothing is said of what it lacks."""
    trace_of = getattr(peer, "trace_of", None)
    trace = trace_of(request) if trace_of is not None else None
    if trace is not None:
        n = trace.open(request, to_target=False, rollout=ABANDONED)
        trace.close(
            n, fault=f"abandoned: the connection was lost after {len(request.body)} bytes of the request's body"
        )


def failed(peer: Peer, request: Request, error: Exception) -> None:
    """Note in the trace of a case that its peer could not answer: the lost connection is no deed of the target."""
    trace_of = getattr(peer, "trace_of", None)
    trace = trace_of(request) if trace_of is not None else None
    if trace is not None:
        told = f"{type(error).__name__}: {error}" if not isinstance(error, SuiteError | ValueError) else str(error)
        trace.troubles.append(f"the suite could not answer {request.method} {request.path} as the case says: {told}")


async def read_request(scope: Scope, receive: Receive) -> tuple[Request, bool]:
    """The request, and whether its body came in whole."""
    headers = tuple((k.decode("latin-1"), v.decode("latin-1")) for k, v in scope["headers"])
    body, whole = await _body(headers, receive)
    raw = scope["raw_path"].decode("latin-1")
    query = scope["query_string"].decode("latin-1")
    return Request(scope["method"], f"{raw}?{query}" if query else raw, headers, body), whole


async def _body(headers: Headers, receive: Receive) -> tuple[bytes, bool]:
    """The body of a request, and whether it is whole; of one beyond the limit only the beginning, and the rest is not read."""
    said = dict(headers).get("content-length", "")
    gauge = body_limits.Gauge(int(said) if said.isascii() and said.isdigit() else None)
    body, more = bytearray(), True
    try:
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return bytes(body), False
            piece = message.get("body", b"")
            if not await gauge.fits(len(piece)):
                return Cut(body[: body_limits.KEPT], body_limits.beyond()), True
            body += piece
            more = message.get("more_body", False)
    finally:
        gauge.close()
    return body_limits.kept(body), True


def _closing(send: Send) -> Send:
    """The same, and the connection ends with the answer: the rest of the request is still in it."""

    async def closing(message: Message) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message["headers"], (b"connection", b"close")]}
        await send(message)

    return closing


async def disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _perform(play: Delivery, scope: Scope, send: Send, gone: "asyncio.Future[None]") -> None:
    if play.loss in SILENT:
        play.failed()  # nothing more will come: from now on the server may give up and ask again
    if (play.hold or play.delay_s) and not await _waited(play, gone):
        play.abandoned()
        return
    if _is_paced(play):
        await _paced(play, scope, send, gone)
    elif play.loss is None:
        await _answer(play, send, gone)
    else:
        await _lose(play, scope, send, gone)


def _is_paced(play: Delivery) -> TypeGuard[PacedDelivery]:
    return bool(getattr(play, "pieces", ()))


async def _held(play: Delivery) -> None:
    if play.hold is not None:
        await play.hold.wait()
    else:
        await asyncio.sleep(play.delay_s)


async def _waited(play: Delivery, gone: "asyncio.Future[None]") -> bool:
    """Wait as the script says; False when the server hung up meanwhile."""
    wait = asyncio.ensure_future(_held(play))
    await asyncio.wait({wait, gone}, return_when=asyncio.FIRST_COMPLETED)
    wait.cancel()
    return not gone.done()


async def _paced(play: PacedDelivery, scope: Scope, send: Send, gone: "asyncio.Future[None]") -> None:
    """A stream, piece by piece; one that dies takes its connection with it."""
    headers = [(k.encode("latin-1"), v.encode("latin-1")) for k, v in play.response.headers]
    await send({"type": "http.response.start", "status": play.response.status, "headers": headers})
    for piece in play.pieces:
        if gone.done():
            play.abandoned()
            return
        await send({"type": "http.response.body", "body": piece, "more_body": True})
        play.passed(piece)
        await asyncio.wait({gone}, timeout=play.pace_s)
    if play.stalls:
        await asyncio.wait({gone}, timeout=STALL_S)
        play.abandoned()
        return
    if play.dies:
        play.failed()
        cut(scope)
        return
    play.delivered()
    await send({"type": "http.response.body", "body": b""})


def body_of(response: Response) -> bytes:
    """The body as it may be sent: an answer of these statuses has none, whatever the script says."""
    return b"" if response.status in BODILESS else response.body


def dripped(body: bytes) -> list[bytes]:
    """A body in many small pieces, at least one; some of them end within a character, where it has any of several bytes."""
    if not body:
        return [b""]
    size = max(DRIP_BYTES, -(-len(body) // MOST_DRIPS))
    inside = [at for at, byte in enumerate(body) if is_inside(byte)]
    cuts = sorted({*range(0, len(body), size), *inside[:: max(1, -(-len(inside) // MOST_TORN))]})
    return [body[at:end] for at, end in zip(cuts, [*cuts[1:], len(body)], strict=True)]


def is_inside(byte: int) -> bool:
    """Whether a byte continues a character of UTF-8 (RFC 3629, 3)."""
    return 0x80 <= byte < 0xC0


async def _answer(play: Delivery, send: Send, gone: "asyncio.Future[None]") -> None:
    body = body_of(play.response)
    await send(_start(play, None if play.drip else len(body)))
    if play.drip:
        *pieces, body = dripped(body)
        for piece, following in zip(pieces, [*pieces[1:], body], strict=True):
            await send({"type": "http.response.body", "body": piece, "more_body": True})
            await asyncio.sleep(TORN_S if following and is_inside(following[0]) else 0)
    if gone.done():
        play.abandoned()
        return
    play.delivered()
    await send({"type": "http.response.body", "body": body})


async def _lose(play: Delivery, scope: Scope, send: Send, gone: "asyncio.Future[None]") -> None:
    if play.loss in ("stall", "cut"):
        await send(_start(play, len(play.response.body) or 1))
    if play.loss in SILENT:
        await asyncio.wait({gone}, timeout=STALL_S)
        return
    if play.loss == "cut":
        half = play.response.body[: len(play.response.body) // 2]
        await send({"type": "http.response.body", "body": half, "more_body": True})
    play.failed()
    cut(scope, orderly=play.loss != "reset")


def cut(scope: Scope, *, orderly: bool = False) -> None:
    """End the connection that a request came over: with a reset, or with an orderly close."""
    if (transport := connections.transport(scope)) is not None:
        transport.close() if orderly else transport.abort()


def _start(play: Delivery, length: int | None) -> dict[str, object]:
    """The head of a response. A body without a length is chunked: its pieces stay apart, however late the client reads them."""
    headers = [(k.encode("latin-1"), v.encode("latin-1")) for k, v in play.response.headers]
    if length is not None and play.response.status not in BODILESS:
        headers.append((b"content-length", str(length).encode()))
    return {"type": "http.response.start", "status": play.response.status, "headers": headers}


@contextlib.asynccontextmanager
async def serve(trainer: Peer, host: str = "127.0.0.1", port: int = 0) -> AsyncIterator[str]:
    """Serve a scripted trainer; gives its base URL. Raises `SuiteError` when the address cannot be had."""
    async with serve_app(PeerApp(trainer), host, port) as url:
        yield url


@contextlib.asynccontextmanager
async def serve_app(app: ASGIApp, host: str, port: int) -> AsyncIterator[str]:
    """The same for an application whose connections `cut` can end."""
    listener = _listen(host, port)
    # uvicorn reports a response that breaks off as an error of the application; here it is the point.
    logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
    # With proxy_headers, an `X-Forwarded-For` of the target would replace the address by which `cut` finds the connection.
    config = uvicorn.Config(
        app,
        http=connections.Connection,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        timeout_keep_alive=30,
        proxy_headers=False,
    )
    server = _Quiet(config)
    running = asyncio.ensure_future(server.serve(sockets=[listener]))
    try:
        while not server.started:
            await asyncio.sleep(0)
        yield f"http://{host}:{listener.getsockname()[1]}"
    finally:
        server.should_exit = server.force_exit = True
        try:
            await running
        finally:
            listener.close()  # uvicorn leaves it open when it is ended before it has started


class _Quiet(uvicorn.Server):
    """uvicorn takes over the signals of the process; the suite keeps its own."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # The protocol is named, because asyncio turns Nagle's algorithm off only for sockets that say they are TCP.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise SuiteError(
            f"--listen {host}:{port}: cannot listen there ({error.strerror}). Name a free port, or port 0 for any."
        ) from error
    listener.listen(2048)
    return listener
