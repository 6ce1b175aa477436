"""The backends behind a router, without I/O: several backends share one script. The first request of a case plays its first response,
whichever backend receives it.

Requests belong to a case by the nonce in their body; HEAD and OPTIONS, which have no body, by the nonce in their query. Requests that
belong to no case (models, health) are answered as any inference server would.
"""

import asyncio
import gzip
import itertools
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from time import monotonic
from typing import Any, Literal

from rollout_conformance.steps.engine import body_limits
from rollout_conformance.steps.engine.lenient_json import mapping
from rollout_conformance.steps.engine.trace import Request, Response, Trace, parse
from rollout_conformance.steps.peers import completion_responses
from rollout_conformance.steps.peers.backend_response import BackendResponse as BackendResponse
from rollout_conformance.steps.peers.backend_response import ErrorForm
from rollout_conformance.steps.peers.backend_response import Fault as Fault
from rollout_conformance.steps.peers.completion_responses import MODEL, NONCE, Asked
from rollout_conformance.steps.peers.event_framing import framed

JSON_HEADERS = (("content-type", "application/json"),)
SSE = (("content-type", "text/event-stream"),)
WITHOUT_BODY = ("HEAD", "OPTIONS")
ENDLESS = 2400  # chunks, after which even an endless stream ends
Loss = Literal["reset", "silence", "stall", "cut"]
LOSSES: Mapping[Fault, Loss] = {
    "reset": "reset",
    "silent": "silence",
    "stalled": "stall",
    "truncated": "cut",
}
"""The faults of the transport, by the names that the binding has for them."""


@dataclass(slots=True)
class BackendScript:
    """What the backends do in one case, and what reached them.

    `received` are (backend, request), `received_at` their times and `played` the responses to them; `disconnected` the times at which the
    router disconnected before the end, `finished` those at which a response was complete; `stopped` the backends that are down in this
    case; `bytes_sent` of streams; `released_at` when held responses were released; `delivered` the completions that were sent to their end:
    a whole one as its value, a stream as the list of its events.
    """

    nonce: str
    trace: Trace
    responses: Sequence[BackendResponse] = (BackendResponse(),)
    received: list[tuple[str, Request]] = field(default_factory=list)
    received_at: list[float] = field(default_factory=list)
    played: list[BackendResponse] = field(default_factory=list)
    disconnected: list[float] = field(default_factory=list)
    finished: list[float] = field(default_factory=list)
    stopped: set[str] = field(default_factory=set)
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    released_at: float | None = None
    bytes_sent: int = 0
    delivered: list[Any] = field(default_factory=list)

    def take(self, backend: str, request: Request) -> BackendResponse:
        """Record a request, and give the response to it."""
        last = next((n for n in reversed(range(len(self.received))) if self.received[n][0] == backend), None)
        response = self.responses[min(len(self.received), len(self.responses) - 1)]
        if last is not None and self.played[last].permanent:
            response = self.played[last]
        self.received.append((backend, request))
        self.received_at.append(self.trace.now())
        self.played.append(response)
        return response

    def release(self) -> None:
        """Send the responses that are held."""
        self.released_at = self.trace.now()
        self.gate.set()


@dataclass(slots=True)
class BackendPlay:
    """One response; the binding sends it. `behind` is the number of the request in the trace, `sent` the beginning of a stream."""

    response: Response
    script: BackendScript | None = None
    loss: Loss | None = None
    delay_s: float = 0.0
    pieces: Iterable[bytes] = ()
    pace_s: float = 0.0
    dies: bool = False
    stalls: bool = False
    hold: asyncio.Event | None = None
    drip: bool = False
    delivers: Any = None
    behind: int = -1
    sent: bytearray = field(default_factory=bytearray)

    def delivered(self) -> None:
        if self.script is not None:
            self.script.finished.append(self.script.trace.now())
            self.script.delivered += [] if self.delivers is None else [self.delivers]
            self._ended()

    def failed(self) -> None:
        """A response that is interrupted is interrupted on purpose."""
        self._ended(f"{self.loss or 'reset'} by the backend")

    def abandoned(self) -> None:
        if self.script is not None:
            self.script.disconnected.append(self.script.trace.now())
            self._ended("the router disconnected")

    def passed(self, piece: bytes) -> None:
        if self.script is not None:
            self.script.bytes_sent += len(piece)
            self.script.trace.sent_on(self.behind, len(piece))
            if len(self.sent) < body_limits.KEPT:
                self.sent += piece

    def _ended(self, fault: str | None = None) -> None:
        if self.script is not None:
            whole = replace(self.response, body=bytes(self.sent)) if self.sent else self.response
            self.script.trace.answered(self.behind, None if fault and not self.sent else whole, fault)


class Backends:
    """What all backends share: their `model`, the scripts of the cases, which backends are `down`, and the POST requests that belong to
    no case, with the times at which they were received (of `time.monotonic`)."""

    def __init__(self, model: str = MODEL) -> None:
        self.model = model
        self.scripts: dict[str, BackendScript] = {}
        self.down: set[str] = set()
        self.unmatched_requests: list[Request] = []
        self.unmatched_at: list[float] = []

    def add(self, script: BackendScript) -> None:
        self.scripts[script.nonce] = script


@dataclass(frozen=True, slots=True)
class Backend:
    """One backend, by name. It serves the model that all serve, and one of its own."""

    name: str
    all: Backends

    def trace_of(self, request: Request) -> Trace | None:
        """The trace of the case that a request belongs to."""
        script = self._script(request)
        return script.trace if script is not None else None

    def _script(self, request: Request) -> BackendScript | None:
        found = NONCE.search(request.path.encode() if request.method in WITHOUT_BODY else request.body)
        return self.all.scripts.get(found.group().decode()) if found else None

    def receive(self, request: Request) -> BackendPlay:
        script = self._script(request)
        if self.name in self.all.down or (script is not None and self.name in script.stopped):
            return BackendPlay(Response(503, JSON_HEADERS, b"{}"), loss="reset")
        if script is not None and request.method in WITHOUT_BODY:
            script.take(self.name, request)
        if script is None or request.method != "POST":
            if request.method == "POST":
                self.all.unmatched_requests.append(request)
                self.all.unmatched_at.append(monotonic())
            return BackendPlay(self._unscripted(request))
        play = _response(script, script.take(self.name, request), request)
        play.behind = script.trace.forwarded(self.name, request)
        return play

    def _unscripted(self, request: Request) -> Response:
        path = request.path.partition("?")[0]
        if path.endswith("/models"):
            return Response(
                200,
                JSON_HEADERS,
                json.dumps(completion_responses.listed((self.all.model, own_model(self.name)))).encode(),
            )
        hello = (
            {}
            if request.method == "GET"
            else completion_responses.whole(Asked(text=not path.endswith("/chat/completions")), "Hello.")
        )
        return Response(200, JSON_HEADERS, json.dumps(hello).encode())


def own_model(name: str) -> str:
    return f"{MODEL}-{name}"


def _response(script: BackendScript, line: BackendResponse, request: Request) -> BackendPlay:
    more = tuple((name.lower(), value) for name, value in line.headers.items())
    hold = script.gate if line.hold else None
    loss = LOSSES.get(line.fault) if line.fault else None
    if line.fault in ("reset", "silent", "stalled"):
        return BackendPlay(Response(200, JSON_HEADERS, b"{}"), script, loss, line.delay_s, hold=hold)
    if line.status != 200:
        body = (line.body or json.dumps(completion_responses.error(line.status))).encode()
        return BackendPlay(Response(line.status, JSON_HEADERS + more, body), script, delay_s=line.delay_s, hold=hold)
    asked = completion_responses.asked(mapping(parse(request.body)), request.path, line.spaces)
    if asked.stream:
        return _stream(script, line, asked, hold)
    text = asked.rest("x" * line.size if line.size else line.text)
    completion = {**completion_responses.whole(asked, text, line.usage), **line.members}
    body = completion_responses.encoded(completion)
    if line.gzip and "gzip" in (request.header("accept-encoding") or ""):
        body, more = gzip.compress(body), (*more, ("content-encoding", "gzip"))
    return BackendPlay(
        Response(200, JSON_HEADERS + more, body),
        script,
        delay_s=line.delay_s,
        hold=hold,
        delivers=completion,
        loss=loss,
    )


def _stream(script: BackendScript, line: BackendResponse, asked: Asked, hold: asyncio.Event | None) -> BackendPlay:
    if line.is_empty_stream:
        return BackendPlay(
            Response(200, SSE, b""), script, None, line.delay_s, [b""], dies=line.fault == "headers_only", hold=hold
        )
    values = _values(line, asked)
    if line.endless:
        pieces = framed(values, line.framing)
        return BackendPlay(
            Response(200, SSE, b""), script, None, line.delay_s, _repeated(pieces), line.chunk_every_s, hold=hold
        )
    interrupted = 0 < line.interrupted_after < len(values)
    if interrupted:
        values = values[: line.interrupted_after]
    pieces = framed(values, line.framing) + (_error_event(line.error_form) if interrupted and line.error_after else [])
    if line.split_events or line.packet_bytes:
        pieces = completion_responses.torn(pieces, line.packet_bytes or completion_responses.TORN_BYTES)
    dies, stalls = bool(interrupted and line.reset_after), bool(interrupted and line.silent_after)
    return BackendPlay(
        response=Response(200, SSE, b""),
        script=script,
        loss=None,
        delay_s=line.delay_s,
        pieces=pieces,
        pace_s=line.chunk_every_s,
        dies=dies,
        stalls=stalls,
        hold=hold,
        delivers=None if interrupted else values,
    )


def _values(line: BackendResponse, asked: Asked) -> list[object]:
    """The values of the events of a stream, up to its end."""
    if line.size:
        values = completion_responses.flood(asked, line.size, line.chunk_bytes, line.of_arguments)
    elif line.chunks:
        values = list(completion_responses.scripted_stream(asked, line.chunks, line.members, line.usage))
    else:
        text, plain = asked.rest(line.text), not line.extra_member
        values = list(completion_responses.stream(asked, text, line.members, plain, line.choice_index, line.usage))
    return values if line.done else values[:-1]


def _error_event(form: ErrorForm) -> list[bytes]:
    error = completion_responses.error(500)
    if form == "flat":
        return framed([{"object": "error", **error["error"]}])
    if form == "named":
        return [b"event: error\n" + framed([error])[0]]
    return framed([error, *([completion_responses.DONE] if form == "then_done" else [])])


def _repeated(pieces: Sequence[bytes]) -> Iterator[bytes]:
    """The first chunk of a stream, and then its words: longer than any client reads that means to disconnect."""
    yield pieces[0]
    yield from itertools.islice(itertools.cycle(pieces[1:-2]), ENDLESS)  # without the last two, which end the stream
