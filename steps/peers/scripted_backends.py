"""The backends behind a router, without I/O: several backends share one script. The first request of a case plays its first response,
whichever backend receives it.

Requests belong to a case by the nonce in their body. Requests that belong to no case (models, health) are answered as any inference
server would.
"""

import asyncio
import gzip
import itertools
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from rollout_conformance.steps.engine.lenient_json import mapping
from rollout_conformance.steps.engine.trace import Request, Response, Trace, parse
from rollout_conformance.steps.peers import completion_responses
from rollout_conformance.steps.peers.completion_responses import MODEL, NONCE, WORDS, Asked

JSON = (("content-type", "application/json"),)
SSE = (("content-type", "text/event-stream"),)
ENDLESS = 2400  # chunks, after which even an endless stream ends

Fault = Literal["reset", "silent", "truncated"]
LOSSES: Mapping[Fault, Literal["reset", "stall", "cut"]] = {"reset": "reset", "silent": "stall", "truncated": "cut"}
"""The faults, by the names that the binding has for them."""


@dataclass(frozen=True, slots=True)
class BackendResponse:
    """How a backend responds to one request. A number stands for its `status`, `reset`, `silent` or `truncated` for its `fault`, any other
    text for its `text`."""

    text: str = WORDS
    "What the assistant message contains; a stream has one chunk for each word."
    status: int = 200
    "The HTTP status; any other than 200 has an error object as its body."
    body: str = ""
    "The body of a response whose status is not 200, instead of the error object."
    fault: Fault | None = None
    "`reset` closes the connection without a response, `silent` sends nothing, `truncated` closes it after half of the body."
    delay_s: float = 0.0
    "Seconds before the response begins."
    chunk_every_s: float = 0.0
    "Seconds between two chunks of a stream."
    reset_after: int = 0
    "The connection is reset after so many chunks of a stream."
    silent_after: int = 0
    "Nothing is sent after so many chunks of a stream, and the connection stays open."
    error_after: int = 0
    "After so many chunks of a stream an event with an error object ends it, without [DONE]."
    spaces: Literal["before", "after"] = "before"
    "Whether the space between two words is at the beginning of a chunk or at the end of the one before."
    extra_member: bool = False
    "Whether each chunk of a stream has a member `rc_word` that is in no specification."
    split_events: bool = False
    "Whether a stream is sent in parts that end within events, and within characters of several bytes."
    choice_index: int = 0
    "The `index` of the choice of a stream."
    hold: bool = False
    "Whether the response is held until the step `release_backends`."
    size: int = 0
    "The size of the message in bytes, instead of `text`."
    gzip: bool = False
    "Whether the body is compressed, where the request accepts gzip."
    endless: bool = False
    "Whether a stream repeats its words until the router disconnects."
    permanent: bool = False
    "Whether the backend that gave this response gives it again to each later request of the case."
    headers: Mapping[str, str] = field(default_factory=dict)
    "Headers beside Content-Type."
    members: Mapping[str, object] = field(default_factory=dict)
    "Members of the response body (of each chunk of a stream) that are added, or replace the usual ones."

    @property
    def interrupted_after(self) -> int:
        """After how many chunks a stream stops before its end, 0 where it does not."""
        return self.reset_after or self.silent_after or self.error_after

    @property
    def gives_nothing(self) -> bool:
        """Whether not even the beginning of a completion is sent."""
        return self.status >= 400 or self.fault is not None

    @property
    def fails(self) -> bool:
        """Whether this is anything but a complete good response: what a router may count as a failure of the backend."""
        return self.gives_nothing or self.interrupted_after > 0


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
    delivered: list[object] = field(default_factory=list)

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
    """One response; the binding sends it."""

    response: Response
    script: BackendScript | None = None
    loss: Literal["reset", "stall", "cut"] | None = None
    delay_s: float = 0.0
    pieces: Iterable[bytes] = ()
    pace_s: float = 0.0
    dies: bool = False
    stalls: bool = False
    hold: asyncio.Event | None = None
    drip: bool = False
    delivers: Any = None

    def delivered(self) -> None:
        if self.script is not None:
            self.script.finished.append(self.script.trace.now())
            self.script.delivered += [] if self.delivers is None else [self.delivers]

    def failed(self) -> None:
        """A response that is interrupted is interrupted on purpose."""

    def abandoned(self) -> None:
        if self.script is not None:
            self.script.disconnected.append(self.script.trace.now())

    def passed(self, piece: bytes) -> None:
        if self.script is not None:
            self.script.bytes_sent += len(piece)


class Backends:
    """What all backends share: their `model`, the scripts of the cases, which backends are `down`, and the POST requests that belong to
    no case."""

    def __init__(self, model: str = MODEL) -> None:
        self.model = model
        self.scripts: dict[str, BackendScript] = {}
        self.down: set[str] = set()
        self.unmatched_requests: list[Request] = []

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
        found = NONCE.search(request.body)
        return self.all.scripts.get(found.group().decode()) if found else None

    def receive(self, request: Request) -> BackendPlay:
        script = self._script(request)
        if self.name in self.all.down or (script is not None and self.name in script.stopped):
            return BackendPlay(Response(503, JSON, b"{}"), loss="reset")
        if script is None or request.method != "POST":
            if request.method == "POST":
                self.all.unmatched_requests.append(request)
            return BackendPlay(self._unscripted(request))
        return _response(script, script.take(self.name, request), request)

    def _unscripted(self, request: Request) -> Response:
        path = request.path.partition("?")[0]
        if path.endswith("/models"):
            return Response(
                200, JSON, json.dumps(completion_responses.listed((self.all.model, own_model(self.name)))).encode()
            )
        hello = (
            {}
            if request.method == "GET"
            else completion_responses.whole(Asked(text=not path.endswith("/chat/completions")), "Hello.")
        )
        return Response(200, JSON, json.dumps(hello).encode())


def own_model(name: str) -> str:
    return f"{MODEL}-{name}"


def _response(script: BackendScript, line: BackendResponse, request: Request) -> BackendPlay:
    more = tuple((name.lower(), value) for name, value in line.headers.items())
    hold = script.gate if line.hold else None
    loss = LOSSES[line.fault] if line.fault else None
    if line.fault in ("reset", "silent"):
        return BackendPlay(Response(200, JSON, b"{}"), script, loss, line.delay_s, hold=hold)
    if line.status != 200:
        body = (line.body or json.dumps(completion_responses.error(line.status))).encode()
        return BackendPlay(Response(line.status, JSON + more, body), script, delay_s=line.delay_s, hold=hold)
    asked = completion_responses.asked(mapping(parse(request.body)), request.path, line.spaces)
    if asked.stream:
        return _stream(script, line, asked, hold)
    text = asked.rest("x" * line.size if line.size else line.text)
    completion = {**completion_responses.whole(asked, text), **line.members}
    body = completion_responses.encoded(completion)
    if line.gzip and "gzip" in (request.header("accept-encoding") or ""):
        body, more = gzip.compress(body), (*more, ("content-encoding", "gzip"))
    return BackendPlay(
        Response(200, JSON + more, body), script, delay_s=line.delay_s, hold=hold, delivers=completion, loss=loss
    )


def _stream(script: BackendScript, line: BackendResponse, asked: Asked, hold: asyncio.Event | None) -> BackendPlay:
    pieces = (
        completion_responses.flood(asked, line.size)
        if line.size
        else list(
            completion_responses.stream(
                asked, asked.rest(line.text), line.members, not line.extra_member, line.choice_index
            )
        )
    )
    if line.endless:
        return BackendPlay(
            Response(200, SSE, b""), script, None, line.delay_s, _repeated(pieces), line.chunk_every_s, hold=hold
        )
    interrupted = 0 < line.interrupted_after < len(pieces)
    if interrupted:
        pieces = pieces[: line.interrupted_after]
    if interrupted and line.error_after:
        pieces.append(completion_responses.event(completion_responses.error(500)))
    delivers = None if interrupted else _decoded(pieces)
    if line.split_events:
        pieces = completion_responses.torn(pieces)
    dies, stalls = bool(interrupted and line.reset_after), bool(interrupted and line.silent_after)
    return BackendPlay(
        Response(200, SSE, b""),
        script,
        None,
        line.delay_s,
        pieces,
        line.chunk_every_s,
        dies,
        stalls,
        hold,
        delivers=delivers,
    )


def _decoded(pieces: Sequence[bytes]) -> list[object]:
    """The values of events. A large stream repeats one event, which is decoded once."""
    values: dict[bytes, object] = {}
    for piece in pieces:
        if piece not in values:
            values[piece] = completion_responses.decoded(piece)
    return [values[piece] for piece in pieces]


def _repeated(pieces: Sequence[bytes]) -> Iterator[bytes]:
    """The first chunk of a stream, and then its words: longer than any client reads that means to disconnect."""
    yield pieces[0]
    yield from itertools.islice(itertools.cycle(pieces[1:-2]), ENDLESS)  # without the last two, which end the stream
