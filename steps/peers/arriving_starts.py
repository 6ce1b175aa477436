"""Start requests that a trainer sends to the scripted rollout server of its own accord: each is given to a case that waits for one."""

import asyncio
import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from rollout_conformance.steps.engine.lenient_json import JSON, listed, mapping
from rollout_conformance.steps.engine.trace import Request, Response, parse
from rollout_conformance.steps.peers.scripted_rollout_server import (
    JSON_HEADERS,
    HostedRollout,
    ScriptedPlay,
    answer_start,
)

PATHS = {"/rollout": "sync", "/v1/rollout/init": "callback"}
HOLD_S = 2.0  # how long a start request waits for a case before the rollout server is busy
BUSY = Response(429, (*JSON_HEADERS, ("retry-after", "1")), b'{"detail": "no free slot; try again later"}')
HEALTHY = Response(200, JSON_HEADERS, b'{"status": "healthy"}')


@dataclass(slots=True)
class ArrivingStart:
    """A start request that no case has taken yet. It is answered once a case takes it, or with 429 where none does."""

    dialect: str
    request: Request
    body: Mapping[str, object]
    decided: asyncio.Event = field(default_factory=asyncio.Event)
    play: ScriptedPlay | None = None
    gone: bool = False
    loss: None = None
    drip: bool = False
    delay_s: float = 0.0

    @property
    def rollout_id(self) -> str:
        return str(self.body["rollout_id"])

    @property
    def messages(self) -> list[JSON]:
        return listed(self.body.get("messages"))

    @property
    def hold(self) -> "ArrivingStart":
        return self

    async def wait(self) -> None:
        """Until it is known how this start request is answered, and until then."""
        await self.decided.wait()
        if self.play is not None and self.play.hold is not None:
            await self.play.hold.wait()

    @property
    def response(self) -> Response:
        return self.play.response if self.play is not None else BUSY

    def taken(self, hosted: HostedRollout) -> None:
        self.play = answer_start(hosted, self.request)
        self.decided.set()

    def delivered(self) -> None:
        if self.play is not None:
            self.play.delivered()

    def failed(self) -> None:
        """Nothing that the host sends breaks off."""

    def abandoned(self) -> None:
        self.gone = True
        if self.play is not None:
            self.play.abandoned()


Fits = Callable[[ArrivingStart], bool]


@dataclass(slots=True, eq=False)
class Waiting:
    """A case that waits for a start request."""

    fits: Fits
    start: "asyncio.Future[ArrivingStart]"


class ArrivingStarts:
    """`running` are the rollouts of the cases in play by their ids, `counts` how many start requests arrived in each dialect, `most_at_once` how
    many were open at a time before cases took them; `problems` what was wrong with start requests that no case can take."""

    def __init__(self, tools: Sequence[object]) -> None:
        self._tools = tools
        self.running: dict[str, HostedRollout] = {}
        self.dialects: set[str] = set()
        self.problems: list[str] = []
        self.arrived = asyncio.Event()
        self.counts: Counter[str] = Counter()
        self.most_at_once = 0
        self.starved = False
        self._waiting: list[Waiting] = []
        self._unclaimed: list[ArrivingStart] = []

    def receive(self, request: Request) -> "ScriptedPlay | ArrivingStart | None":
        """The answer to a request at the address of the server; None for one that it does not know."""
        path = request.path.partition("?")[0].rstrip("/")
        if (request.method, path) == ("GET", "/health"):
            return ScriptedPlay(HEALTHY)
        if (request.method, path) == ("GET", "/tools"):
            return ScriptedPlay(Response(200, JSON_HEADERS, json.dumps({"tools": self._tools}).encode()))
        dialect = PATHS.get(path) if request.method == "POST" else None
        return self._start(dialect, request) if dialect else None

    def _start(self, dialect: str, request: Request) -> "ScriptedPlay | ArrivingStart":
        body = mapping(parse(request.body))
        if wrong := _wrong(body):
            self.problems.append(wrong)
            return ScriptedPlay(Response(422, JSON_HEADERS, json.dumps({"detail": wrong}).encode()))
        self.counts[dialect] += 1
        self.starved = False
        self.dialects.add(dialect)
        self.arrived.set()
        known = self.running.get(str(body["rollout_id"]))
        if known is not None:
            return answer_start(known, request)
        start = ArrivingStart(dialect, request, body)
        self._offer(start)
        return start

    def _offer(self, start: ArrivingStart) -> None:
        for waiting in self._waiting:
            if not waiting.start.done() and waiting.fits(start):
                waiting.start.set_result(start)
                return
        self._unclaimed.append(start)
        self.most_at_once = max(self.most_at_once, len(self._unclaimed) + len(self.running))
        asyncio.get_running_loop().call_later(HOLD_S, self._busy, start)

    def _busy(self, start: ArrivingStart) -> None:
        if start in self._unclaimed:
            self._unclaimed.remove(start)
            start.decided.set()

    async def next(self, fits: Fits, within_s: float, *, first: bool = False) -> ArrivingStart | None:
        """The next start request that fits, None where none arrives in time. Who is `first` is served before all others."""
        self._unclaimed = [start for start in self._unclaimed if not start.gone]
        for start in self._unclaimed:
            if fits(start):
                self._unclaimed.remove(start)
                return start
        waiting = Waiting(fits, asyncio.get_running_loop().create_future())
        self._waiting.insert(0 if first else len(self._waiting), waiting)
        try:
            async with asyncio.timeout(within_s):
                return await waiting.start
        except TimeoutError:
            return None
        finally:
            self._waiting.remove(waiting)


def _wrong(body: Mapping[str, object]) -> str:
    """What a rollout server has to refuse in a start request, empty where there is nothing."""
    rollout_id = body.get("rollout_id")
    if not isinstance(rollout_id, str) or not rollout_id:
        return "rollout_id: a non-empty string is required"
    if not listed(body.get("messages")):
        return "messages: a non-empty array is required"
    return ""
