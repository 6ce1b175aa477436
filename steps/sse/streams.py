"""A stream of server-sent events, read as it arrives: each event with its time, and no more of them than can have been requested."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import httpx

from rollout_conformance.steps.engine import body_limits
from rollout_conformance.steps.engine.http_client import COUNTED_BY_READER, headers, transport_fault
from rollout_conformance.steps.engine.json_diff import show
from rollout_conformance.steps.engine.lenient_json import JSON
from rollout_conformance.steps.engine.response_wait import response_wait
from rollout_conformance.steps.engine.session import Session
from rollout_conformance.steps.engine.trace import SILENT, STILL_SENDING, Headers, Request, Response, parse
from rollout_conformance.steps.http.responses import KeptResponse
from rollout_conformance.steps.sse.parser import Parser, SseEvent

DONE = "[DONE]"
FIELD = re.compile(r"(?:data|event|id|retry)(?::|$)|:")
LONGEST_EVENT = 16 << 20  # bytes
KEPT_EVENTS = 1000  # of a stream that is not read to its end because it has too many
PATIENCE = 4  # times the patience of the session: the longest time that a stream is read
MOST_PATIENCE = 30  # the same, of one that is read for as long as its events come


@dataclass(frozen=True, slots=True)
class Chunk:
    """One event of a stream: `at` in seconds since the case began, `data` as JSON, or `DONE`, `event` its type."""

    at: float
    data: Any
    event: str = "message"


@dataclass(frozen=True, slots=True)
class StreamedResponse(KeptResponse):
    """A response with the events of its body. `left` when the suite disconnected before its end."""

    chunks: tuple[Chunk, ...] = ()
    left: bool = False

    @property
    def data(self) -> list[JSON]:
        """The data of the events, `DONE` and what is not JSON among it."""
        return [chunk.data for chunk in self.chunks]

    @property
    def outside_events(self) -> list[str]:
        """The lines of a stream that belong to no event: they have none of the fields of the HTML standard, and clients do not read them."""
        return [
            line for line in self.raw.decode("utf-8", "replace").splitlines() if line.strip() and not FIELD.match(line)
        ]

    def shown(self) -> str:
        """Of a stream without events what was sent, and nothing that was put together from no event."""
        streamed = (self.header("content-type") or "").startswith("text/event-stream")
        if self.fault or self.chunks or not streamed or self.status is None:
            return KeptResponse.shown(self)
        body = show(self.raw.decode("utf-8", "replace")) if self.raw else "no body"
        return f"{self.status}: a stream without events: {body}"


def event_data(text: str) -> JSON:
    return DONE if text == DONE else parse(text.encode())


class Endless(Exception):
    """A stream of more than can have been requested."""


@dataclass(slots=True)
class Reading:
    """A stream while it is read, of `most` events at most."""

    most: int
    status: int | None = None
    headers: Headers = ()
    raw: bytearray = field(default_factory=bytearray)
    chunks: list[Chunk] = field(default_factory=list)
    fault: str | None = None
    parser: Parser = field(default_factory=Parser)
    waiting: int = 0  # bytes since the last event
    size: int = 0  # bytes of the body so far, kept or not
    pieces: list[tuple[float, int]] = field(default_factory=list)  # when each came, and the bytes by then

    @property
    def body(self) -> bytes:
        """The body as far as it is kept."""
        return body_limits.kept(self.raw)

    @property
    def counts_itself(self) -> bool:
        """Whether `fits` counts what is kept, instead of the transport every byte that arrives."""
        return False

    async def fits(self) -> bool:
        """Whether there is room for what was kept since the last call."""
        return True

    def close(self) -> None:
        """Nothing more is read."""
        self.parser = Parser()  # what it holds of an unfinished event is not needed

    def kept(self, event: SseEvent, at: float) -> Chunk:
        """What stays of an event."""
        return Chunk(at, event_data(event.data), event.event)

    def add(self, piece: bytes, at: float) -> None:
        self.raw += piece
        self.size += len(piece)
        if len(self.pieces) < KEPT_EVENTS:
            self.pieces.append((at, self.size))
        events = [self.kept(event, at) for event in self.parser.feed(piece)]
        self.chunks += events
        self.waiting = 0 if events else self.waiting + len(piece)
        if self.waiting > LONGEST_EVENT:
            del self.raw[body_limits.KEPT :]
            raise Endless(f"more than {LONGEST_EVENT >> 20} MiB of body without the end of an event")
        if len(self.chunks) > self.most:
            seen = len(self.chunks)
            del self.chunks[KEPT_EVENTS:], self.raw[body_limits.KEPT :]
            raise Endless(f"a stream of more than {self.most} events ({seen} were read)")


async def read_stream(
    session: Session,
    request: Request,
    read: Reading,
    enough: Callable[[Reading], bool] = lambda reading: False,
    *,
    while_it_sends: bool = False,
) -> int:
    """Send a request and read its stream into `read` as it arrives, until it ends or there is `enough`; gives the number of the exchange.
    A stream that breaks off is a reading with a fault. `while_it_sends`: the time that it may take begins anew with each event, as
    a slow model is no silent one."""
    n = session.trace.open(request, to_target=True, rollout="-")
    patience_s = session.patience_s * session.patience_share
    limit_s = patience_s * PATIENCE
    most_s, quiet_s = (patience_s * MOST_PATIENCE, limit_s) if while_it_sends else (limit_s, patience_s)
    try:
        async with response_wait(session.trace, most_s, quiet_s, session.late) as wait:
            if while_it_sends:
                wait.progressed()
            await _read(session, request, read, enough, wait.heard)
    except TimeoutError:
        session.unanswered += 1
        is_sending = while_it_sends and not wait.silence.expired()
        told = f"{most_s:g} s" if is_sending else wait.told("the last event")
        read.fault = f"{STILL_SENDING if is_sending else SILENT} {told}"
    except Endless as error:
        read.fault = str(error)
    except (httpx.HTTPError, OSError) as error:
        read.fault = transport_fault(error)
    finally:
        read.close()
    if read.fault is None:
        session.last_activity.answers += 1
        session.touch()
    return n


async def _read(
    session: Session, request: Request, read: Reading, enough: Callable[[Reading], bool], heard: Callable[[], None]
) -> None:
    async with session.client.stream(
        request.method,
        session.target + request.path,
        content=request.body,
        headers=dict(request.headers),
        extensions={COUNTED_BY_READER: read.counts_itself},
    ) as response:
        read.status, read.headers = response.status_code, headers(response)
        async for piece in response.aiter_raw():
            before = len(read.chunks)
            read.add(piece, session.trace.now())
            if not await read.fits():
                raise Endless(body_limits.beyond())
            if enough(read):
                return
            if len(read.chunks) > before:
                heard()


def recorded(session: Session, n: int, read: Reading) -> bytes:
    """Close the exchange in the trace; gives the body as far as it is kept."""
    session.trace.streamed(n, read.pieces)
    raw = body_limits.kept(read.raw[: body_limits.KEPT]) if read.fault else read.body
    session.trace.close(n, None if read.fault else Response(read.status or 0, read.headers, raw), read.fault)
    return raw
