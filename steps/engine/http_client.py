"""The HTTP client that the suite speaks with: httpx on top, aiohttp underneath.

httpx's own pool assigns connections in time that grows with the square of the requests in flight; aiohttp's does not, and the
API stays the usual one. Idle connections are dropped after a second, well before common servers drop theirs,
because a request that meets a closing connection would look like a fault of the target. The second is counted from when the suite read the
answer; where it read it late, no connection from before is used again.

Whatever a server sends, a caller sees a response or an `httpx.HTTPError` whose text a user understands: see `faults`. No body is
larger than the limit of `bodies`, neither as it was sent nor unpacked.
"""

import contextlib
import re
import ssl
import zlib
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from functools import lru_cache, partial
from time import monotonic
from typing import TYPE_CHECKING
from urllib.parse import quote

import httpx

from rollout_conformance.steps.engine import body_limits
from rollout_conformance.steps.engine.connection_reuse import FreshOnce, tracing
from rollout_conformance.steps.engine.json_text import well_formed
from rollout_conformance.steps.engine.trace import Headers

if TYPE_CHECKING:
    from httpx_aiohttp import AiohttpTransport

# aiohttp is imported where it is used: commands without a target need none of it.
IDLE_S = 1.0
LATE_S = 0.5
LONGEST = 300  # characters of what a library says of a fault
PACKED = ("gzip", "x-gzip", "deflate")
UNPACKED_AT_ONCE = 256 * 1024  # bytes; a packed body may be a thousand times as large unpacked
COUNTED_BY_READER = (
    "counted_by_reader"  # the extension of a request whose body is not counted here: its reader keeps only a part of it
)
ENCODING = "content_encoding"  # the extension of a response that keeps the header of a body that was unpacked
NOT_CONNECTED = "Cannot connect to host"  # the beginning of the fault of a request whose connection is refused
BODILESS = (204, 304)
BROKEN_OFF = "the body breaks off or is malformed"  # the fault of a response whose connection ends before its body


class TooLarge(httpx.RemoteProtocolError):
    """A body of more bytes than the suite reads."""


def client(
    *,
    transport: httpx.AsyncBaseTransport | None = None,
    late: Callable[[float], float] | None = None,
    headers: Mapping[str, str] | None = None,
) -> httpx.AsyncClient:
    """A client without a time limit of its own (every caller sets a deadline) that follows no redirect.

    `late` says by how many seconds the suite was late since a moment of `time.monotonic`; `headers` are sent with every request, unless it
    has one of the same name.
    """
    return PlainClient(
        transport
        or Guarded(
            FreshOnce(Renewed(_aiohttp, late) if late is not None else _aiohttp(), partial(_aiohttp, reuse=False))
        ),
        {"accept-encoding": "gzip, deflate", **(headers or {})},
    )


class PlainClient(httpx.AsyncClient):
    """A client without cookies, redirects, authentication and hooks. What httpx does about them in every request takes as long as the request;
    and a cookie of one case has no place in another."""

    def __init__(self, transport: httpx.AsyncBaseTransport, headers: Mapping[str, str]) -> None:
        super().__init__(transport=transport, timeout=None, follow_redirects=False, trust_env=False, headers=headers)
        self.transport = transport

    async def send(self, request: httpx.Request, *, stream: bool = False, **_: object) -> httpx.Response:
        response = await self.transport.handle_async_request(request)
        response.request = request
        if not stream:
            try:
                await response.aread()
            finally:
                await response.aclose()
        return response


@lru_cache(maxsize=1024)
def url(text: str) -> httpx.URL:
    """Parsed once: a run sends thousands of requests to few paths. Raises `httpx.InvalidURL`."""
    return httpx.URL(well_formed(text))


def path_segment(text: str) -> str:
    """One segment of a path, whatever the text (an id that a target chose, say) has of `/`, `?`, `#` and the like: RFC 3986, 3.3."""
    return quote(well_formed(text), safe="")


@lru_cache(maxsize=1)
def _tls() -> ssl.SSLContext:
    # Loading the certificates of the system takes longer than a whole case.
    return httpx.create_ssl_context(trust_env=False)


def _aiohttp(reuse: bool = True) -> "AiohttpTransport":
    import aiohttp
    from httpx_aiohttp import AiohttpTransport

    return AiohttpTransport(
        verify=_tls(),
        client=lambda: aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=IDLE_S)
            if reuse
            else aiohttp.TCPConnector(limit=0, force_close=True),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            trace_configs=[tracing()],
            skip_auto_headers=("User-Agent",),
        ),
    )


def transport_fault(error: BaseException) -> str:
    """What went wrong between us and a server, in words of HTTP."""
    import aiohttp

    seen = _cause(error)
    if isinstance(seen, aiohttp.ServerDisconnectedError):
        begun = not isinstance(seen.message, str)  # then it holds the part of an answer that did come
        return "the connection was closed " + ("within the headers of the answer" if begun else "without an answer")
    if isinstance(seen, aiohttp.ClientResponseError):
        return f"does not speak HTTP: {_short(seen.message)}"
    if isinstance(seen, aiohttp.ClientPayloadError):
        return f"{BROKEN_OFF}: {_short(seen)}"
    if isinstance(seen, zlib.error):
        return f"the body is not packed as its Content-Encoding says: {_short(seen)}"
    return _short(seen) or type(seen).__name__


def _cause(error: BaseException) -> BaseException:
    """The exception of the library underneath, which knows more than the one that was made of it."""
    import aiohttp

    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, aiohttp.ClientError | zlib.error | OSError):
        cause = cause.__cause__
    return cause or error


def _short(error: object) -> str:
    text = re.sub(r"\s+", " ", str(error)).replace(" ssl:default", "").strip()
    return text if len(text) <= LONGEST else f"{text[:LONGEST]} ..."


@contextlib.contextmanager
def faults(*, reading: bool = False) -> Iterator[None]:
    """Every exception that a server can cause leaves as an `httpx.HTTPError`.

    A `ValueError` before there is an answer is not among them: then it is our own request that cannot be sent.
    """
    import aiohttp

    try:
        yield
    except TooLarge:
        raise
    except httpx.HTTPError as error:
        raise type(error)(transport_fault(error)) from error
    except (aiohttp.ClientError, zlib.error, ConnectionError, EOFError) as error:
        raise httpx.RemoteProtocolError(transport_fault(error)) from error
    except TimeoutError as error:
        raise httpx.ReadTimeout(transport_fault(error)) from error
    except OSError as error:
        raise httpx.NetworkError(transport_fault(error)) from error
    except (ValueError, RecursionError) as error:
        if not reading:
            raise
        raise httpx.RemoteProtocolError(f"does not speak HTTP: {_short(error)}") from error


class Guarded(httpx.AsyncBaseTransport):
    """A transport that lets through no body beyond the limit and no exception that callers do not know."""

    def __init__(self, inner: httpx.AsyncBaseTransport) -> None:
        self.inner = inner

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        with faults():
            response = await self.inner.handle_async_request(request)
        has_body = request.method != "HEAD" and response.status_code not in BODILESS
        declared = _length(response) if has_body else 0
        if declared is not None and declared > body_limits.ROOM.limit:
            await _Body(response).aclose()
            raise TooLarge(f"{body_limits.beyond()} (Content-Length: {declared})", request=request)
        packed = _header(response, b"content-encoding").strip().lower()
        is_counted = not request.extensions.get(COUNTED_BY_READER)
        response.stream = _Body(response, declared, packed if has_body else "", is_counted=is_counted)
        if packed:
            del response.headers["content-encoding"]
            response.extensions = {**response.extensions, ENCODING: packed}
        return response

    async def aclose(self) -> None:
        await self.inner.aclose()


class Renewed(httpx.AsyncBaseTransport):
    """A transport with new connections after each time that the suite was late: idle ones may have been closed meanwhile, and the suite would
    read so only after it had sent a request."""

    def __init__(self, make: Callable[[], httpx.AsyncBaseTransport], late: Callable[[float], float]) -> None:
        self.make, self.late = make, late
        self.made = [make()]
        self.since = monotonic()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if self.late(self.since) > LATE_S:
            self.made.append(self.make())  # those before may still be read from
            self.since = monotonic()
        return await self.made[-1].handle_async_request(request)

    async def aclose(self) -> None:
        for one in self.made:
            await one.aclose()


def _header(response: httpx.Response, name: bytes) -> str:
    """As `response.headers.get`, which guesses the encoding of all headers each time."""
    return ", ".join(value.decode("latin-1") for key, value in response.headers.raw if key.lower() == name)


def _length(response: httpx.Response) -> int | None:
    said = _header(response, b"content-length")
    return int(said) if re.fullmatch(r"\d{1,18}", said, re.A) else None


class _Body(httpx.AsyncByteStream):
    """The bytes of a response, unpacked where they are packed, up to the limit."""

    def __init__(
        self, response: httpx.Response, declared: int | None = None, packed: str = "", *, is_counted: bool = True
    ) -> None:
        assert isinstance(response.stream, httpx.AsyncByteStream)
        self.stream, self.is_counted = response.stream, is_counted
        self.packed = packed if packed in PACKED else ""
        self.gauge = body_limits.Gauge(None if self.packed else declared)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        with faults(reading=True):
            async for piece in _unpacked(self.stream, self.packed) if self.packed else self.stream:
                if self.is_counted and not await self.gauge.fits(len(piece)):
                    raise TooLarge(body_limits.beyond())
                yield piece

    async def aclose(self) -> None:
        self.gauge.close()
        with contextlib.suppress(httpx.HTTPError), faults(reading=True):
            await self.stream.aclose()


async def _unpacked(stream: httpx.AsyncByteStream, how: str) -> AsyncIterator[bytes]:
    """The pieces of a gzip or deflate body, never much more at once than was asked for."""
    unpacker = None
    async for piece in stream:
        unpacker = unpacker or _unpacker(how, piece)
        while piece and not unpacker.eof:
            yield unpacker.decompress(piece, UNPACKED_AT_ONCE)
            piece = unpacker.unconsumed_tail
    if unpacker is not None:
        yield unpacker.flush()


def _unpacker(how: str, piece: bytes) -> "zlib._Decompress":
    """For gzip, zlib, or the bare deflate that some servers send under that name."""
    is_bare = how == "deflate" and piece[0] & 15 != zlib.DEFLATED
    return zlib.decompressobj(-zlib.MAX_WBITS if is_bare else zlib.MAX_WBITS | 32)


async def whole(response: httpx.Response) -> bytes:
    """The body of a response that was asked for as a stream."""
    data = bytearray()
    async for piece in response.aiter_raw():
        data += piece
    return body_limits.kept(data)


def headers(response: httpx.Response) -> Headers:
    """The headers as they were sent, names in small letters."""
    packed = response.extensions.get(ENCODING)
    sent = tuple((key.decode("latin-1").lower(), value.decode("latin-1")) for key, value in response.headers.raw)
    return (*sent, ("content-encoding", packed)) if packed else sent
