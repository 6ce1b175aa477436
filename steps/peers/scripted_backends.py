"""The engines behind a router without I/O: several, one script. Whichever is asked first plays the first line.

Rollouts of a case are told apart by the nonce that its conversation holds. Requests about nothing of ours (models, health) are answered
like any engine would.
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
ENDLESS = 2400  # pieces, after which even an endless stream is over


@dataclass(frozen=True, slots=True)
class BackendLine:
    """How one request is answered. `put` is merged over the reply; a stream goes at `pace_s` a chunk and breaks off after `dies_after`,
    falls silent after `stalls_after` or tells of an error after `fails_after`. `hold` waits until the case lets go; `size` makes the
    answer so many bytes long; `zipped` packs it where the router said that it may be. In a stream that is not `plain` each piece has a
    member that nobody knows, a `torn` one is sent in pieces that end in the middle of events and of letters. `index` is that of the choice
    of a stream. An `endless` stream repeats its words until the router hangs up. The engine that plays a line that `stays` plays it again
    in this case, however often it is asked.
    """

    say: str = WORDS
    status: int = 200
    body: str = ""
    loss: Literal["reset", "stall", "cut"] | None = None
    delay_s: float = 0.0
    pace_s: float = 0.0
    dies_after: int = 0
    stalls_after: int = 0
    fails_after: int = 0
    spaces: Literal["before", "after"] = "before"
    plain: bool = True
    torn: bool = False
    index: int = 0
    hold: bool = False
    size: int = 0
    zipped: bool = False
    endless: bool = False
    stays: bool = False
    headers: Mapping[str, str] = field(default_factory=dict)
    put: Mapping[str, Any] = field(default_factory=dict)

    @property
    def cut(self) -> int:
        """After how many events a stream is not what it should be, 0 where it comes to its end."""
        return self.dies_after or self.stalls_after or self.fails_after

    @property
    def gives_nothing(self) -> bool:
        """Whether not even the beginning of an answer comes of it."""
        return self.status >= 400 or self.loss is not None

    @property
    def fails(self) -> bool:
        """Whether this is anything but a good answer to its end: what a router may take for a sign that the engine is not well."""
        return self.gives_nothing or self.cut > 0


@dataclass(slots=True)
class Plan:
    """What the engines do in one case, and what reached them.

    `asked` are (backend, request), `asked_at` the times and `played` the lines of these requests; `left` those whose router hung up; `gone`
    the engines that are dead for this case; `sent` the bytes of streams that the router took; `freed` when the case let go; `told` what was
    said to its end: a reply as its value, a stream as the list of its events.
    """

    nonce: str
    trace: Trace
    lines: Sequence[BackendLine] = (BackendLine(),)
    asked: list[tuple[str, Request]] = field(default_factory=list)
    asked_at: list[float] = field(default_factory=list)
    played: list[BackendLine] = field(default_factory=list)
    left: list[float] = field(default_factory=list)
    finished: list[float] = field(default_factory=list)
    gone: set[str] = field(default_factory=set)
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    freed: float | None = None
    sent: int = 0
    told: list[Any] = field(default_factory=list)

    def take(self, backend: str, request: Request) -> BackendLine:
        """Note a request, and give the line that is its answer."""
        last = next((n for n in reversed(range(len(self.asked))) if self.asked[n][0] == backend), None)
        line = self.lines[min(len(self.asked), len(self.lines) - 1)]
        if last is not None and self.played[last].stays:
            line = self.played[last]
        self.asked.append((backend, request))
        self.asked_at.append(self.trace.now())
        self.played.append(line)
        return line

    def let_go(self) -> None:
        self.freed = self.trace.now()
        self.gate.set()


@dataclass(slots=True)
class BackendPlay:
    """One answer; the binding performs it."""

    response: Response
    plan: Plan | None = None
    loss: Literal["reset", "stall", "cut"] | None = None
    delay_s: float = 0.0
    pieces: Iterable[bytes] = ()
    pace_s: float = 0.0
    dies: bool = False
    stalls: bool = False
    hold: asyncio.Event | None = None
    drip: bool = False
    told: Any = None

    def delivered(self) -> None:
        if self.plan is not None:
            self.plan.finished.append(self.plan.trace.now())
            self.plan.told += [] if self.told is None else [self.told]

    def failed(self) -> None:
        """What breaks off does so on purpose."""

    def abandoned(self) -> None:
        if self.plan is not None:
            self.plan.left.append(self.plan.trace.now())

    def passed(self, piece: bytes) -> None:
        if self.plan is not None:
            self.plan.sent += len(piece)


class Backends:
    """What all engines share: their `model`, the plans, which engines are `down`, and the requests for an answer that belong to no
    case."""

    def __init__(self, model: str = MODEL) -> None:
        self.model = model
        self.plans: dict[str, Plan] = {}
        self.down: set[str] = set()
        self.unmatched_requests: list[Request] = []

    def enroll(self, plan: Plan) -> None:
        self.plans[plan.nonce] = plan


@dataclass(frozen=True, slots=True)
class Backend:
    """One engine, by name. It has the model that all have, and one of its own."""

    name: str
    all: Backends

    def trace_of(self, request: Request) -> Trace | None:
        """The trace of the case that a request belongs to."""
        plan = self._plan(request)
        return plan.trace if plan is not None else None

    def _plan(self, request: Request) -> Plan | None:
        found = NONCE.search(request.body)
        return self.all.plans.get(found.group().decode()) if found else None

    def receive(self, request: Request) -> BackendPlay:
        plan = self._plan(request)
        if self.name in self.all.down or (plan is not None and self.name in plan.gone):
            return BackendPlay(Response(503, JSON, b"{}"), loss="reset")
        if plan is None or request.method != "POST":
            if request.method == "POST":
                self.all.unmatched_requests.append(request)
            return BackendPlay(self._aside(request))
        return _answer(plan, plan.take(self.name, request), request)

    def _aside(self, request: Request) -> Response:
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


def _answer(plan: Plan, line: BackendLine, request: Request) -> BackendPlay:
    more = tuple((name.lower(), value) for name, value in line.headers.items())
    hold = plan.gate if line.hold else None
    if line.loss in ("reset", "stall"):
        return BackendPlay(Response(200, JSON, b"{}"), plan, line.loss, line.delay_s, hold=hold)
    if line.status != 200:
        told = line.body or json.dumps(completion_responses.error(line.status))
        return BackendPlay(Response(line.status, JSON + more, told.encode()), plan, delay_s=line.delay_s, hold=hold)
    asked = completion_responses.asked(mapping(parse(request.body)), request.path, line.spaces)
    if asked.stream:
        return _stream(plan, line, asked, hold)
    said = asked.rest("x" * line.size if line.size else line.say)
    answer = {**completion_responses.whole(asked, said), **line.put}
    body = completion_responses.encoded(answer)
    if line.zipped and "gzip" in (request.header("accept-encoding") or ""):
        body, more = gzip.compress(body), (*more, ("content-encoding", "gzip"))
    return BackendPlay(
        Response(200, JSON + more, body), plan, delay_s=line.delay_s, hold=hold, told=answer, loss=line.loss
    )


def _stream(plan: Plan, line: BackendLine, asked: Asked, hold: asyncio.Event | None) -> BackendPlay:
    pieces = (
        completion_responses.flood(asked, line.size)
        if line.size
        else list(completion_responses.stream(asked, asked.rest(line.say), line.put, line.plain, line.index))
    )
    if line.endless:
        return BackendPlay(
            Response(200, SSE, b""), plan, None, line.delay_s, _again_and_again(pieces), line.pace_s, hold=hold
        )
    is_cut = 0 < line.cut < len(pieces)
    if is_cut:
        pieces = pieces[: line.cut]
    if is_cut and line.fails_after:
        pieces.append(completion_responses.event(completion_responses.error(500)))
    told = None if is_cut else _decoded(pieces)
    if line.torn:
        pieces = completion_responses.torn(pieces)
    dies, stalls = bool(is_cut and line.dies_after), bool(is_cut and line.stalls_after)
    return BackendPlay(
        Response(200, SSE, b""), plan, None, line.delay_s, pieces, line.pace_s, dies, stalls, hold, told=told
    )


def _decoded(pieces: Sequence[bytes]) -> list[Any]:
    """The values of events. A flood is one event over and over, which is read once."""
    values: dict[bytes, Any] = {}
    for piece in pieces:
        if piece not in values:
            values[piece] = completion_responses.decoded(piece)
    return [values[piece] for piece in pieces]


def _again_and_again(pieces: Sequence[bytes]) -> Iterator[bytes]:
    """The beginning of a stream, and then its words: longer than any client reads on that means to leave."""
    yield pieces[0]
    yield from itertools.islice(itertools.cycle(pieces[1:-2]), ENDLESS)  # the last two say that it ends
