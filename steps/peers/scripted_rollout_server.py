"""The scripted rollout server without I/O: what the suite plays when a trainer is judged.

Every rollout has an address of its own (`.../of/<nonce>`), so that whatever the trainer sends is told apart by its path. What the host
asks of the trainer is not here: the case does that, in its own order.
"""

import asyncio
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Protocol

from rollout_conformance.steps.engine import body_limits
from rollout_conformance.steps.engine.trace import Request, Response, Trace, parse

JSON_HEADERS = (("content-type", "application/json"),)
HERE = "here"
PLACE = re.compile(r"^/of/([^/]+)(/.*)$")

Kind = Literal["tools", "start"]


@dataclass(frozen=True, slots=True)
class StartAnswer:
    """How one start request is answered instead of being accepted. A header that is `HERE` names the request's own path."""

    status: int
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(slots=True)
class HostedRollout:
    """One rollout that the suite hosts. `tools` are what it shows; `refusals` are used up before a start is accepted. Two rollouts at
    one server have one `nonce`, and are told apart by the `rollout_id` of the start request.

    `result` is what answers the blocked start of the sync dialect once `ended` is set.
    """

    label: str
    nonce: str
    dialect: str
    trace: Trace
    tools: Sequence[Any]
    rollout_id: str = ""
    refusals: list[StartAnswer] = field(default_factory=list)
    starts: list[int] = field(default_factory=list)
    accepted: bool = False
    accept_after_s: float = 0.0
    body: dict[str, object] = field(default_factory=dict)
    result: bytes = b"{}"
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def key(self) -> str | None:
        """The key that the trainer issued for this rollout, None when it issued none."""
        key = self.body.get("callback_api_key" if self.dialect == "sync" else "api_key")
        return key if isinstance(key, str) and key else None


@dataclass(slots=True)
class ScriptedPlay:
    """One answer of the host; the binding performs it and reports back."""

    answer: Response
    hosted: HostedRollout | None = None
    exchange: int = -1
    event: str = ""
    hold: asyncio.Event | None = None
    loss: None = None
    drip: bool = False
    delay_s: float = 0.0

    @property
    def response(self) -> Response:
        """A blocked start is answered by whatever its rollout came to."""
        if self.hold is not None and self.hosted is not None:
            return Response(200, JSON_HEADERS, self.hosted.result)
        return self.answer

    def delivered(self) -> None:
        if self.hosted is not None:
            self.hosted.trace.close(self.exchange, self.response)
            self.hosted.trace.event(self.hosted.label, "server", self.event, self.exchange)

    def failed(self) -> None:
        """Nothing that the host sends breaks off."""

    def abandoned(self) -> None:
        if self.hosted is not None:
            self.hosted.trace.close(self.exchange, fault="the trainer closed the connection before the answer")


class OwnAddress(Protocol):
    """What answers at the address of the server itself, where no rollout is named; None for a request that it does not know."""

    def receive(self, request: Request) -> object: ...


class ScriptedRolloutServer:
    """Answers for every rollout that it hosts; everything else is kept in `unmatched_requests` and answered 404."""

    def __init__(self, own_address: OwnAddress | None = None) -> None:
        self._own_address = own_address
        self._by_nonce: dict[str, list[HostedRollout]] = {}
        self.unmatched_requests: list[Request] = []

    def host(self, rollout: HostedRollout) -> None:
        self._by_nonce.setdefault(rollout.nonce, []).append(rollout)

    def trace_of(self, request: Request) -> Trace | None:
        """The trace of the case that a request belongs to."""
        hosted = self._hosted(request)
        return hosted.trace if hosted is not None else None

    def _hosted(self, request: Request) -> HostedRollout | None:
        place = PLACE.match(request.path.partition("?")[0])
        return _meant(self._by_nonce.get(place[1], []), request) if place else None

    def receive(self, request: Request) -> Any:
        own = self._own_address.receive(request) if self._own_address is not None else None
        return own or self._of_a_rollout(request)

    def _of_a_rollout(self, request: Request) -> ScriptedPlay:
        place, hosted = PLACE.match(request.path.partition("?")[0]), self._hosted(request)
        kind = _kind(request.method, place[2], hosted.dialect) if place and hosted else None
        if hosted is None or kind is None:
            self.unmatched_requests.append(replace(request, body=body_limits.ends(request.body)))
            return ScriptedPlay(Response(404, JSON_HEADERS, b'{"detail": "Not found"}'))
        return answer_start(hosted, request) if kind == "start" else _tools(hosted, request)


def _meant(there: Sequence[HostedRollout], request: Request) -> HostedRollout | None:
    """The rollout of one server that a request is about; the first where the request does not say."""
    body = parse(request.body) if len(there) > 1 and request.method == "POST" else None
    named = body.get("rollout_id") if isinstance(body, dict) else None
    return next((hosted for hosted in there if hosted.rollout_id == named), there[0] if there else None)


def _kind(method: str, path: str, dialect: str) -> Kind | None:
    if (method, path) == ("GET", "/tools") and dialect == "sync":
        return "tools"
    start = "/rollout" if dialect == "sync" else "/v1/rollout/init"
    return "start" if (method, path) == ("POST", start) else None


def answer_start(hosted: HostedRollout, request: Request) -> ScriptedPlay:
    """Note a start request in the trace of its rollout, and answer it as the rollout says."""
    n = hosted.trace.open(request, to_target=False, rollout=hosted.label)
    hosted.trace.event(hosted.label, "trainer", "StartSent", n)
    return _start(hosted, n, request)


def _tools(hosted: HostedRollout, request: Request) -> ScriptedPlay:
    n = hosted.trace.open(request, to_target=False, rollout=hosted.label)
    hosted.trace.event(hosted.label, "trainer", "ToolsRequested", n)
    body = json.dumps({"tools": list(hosted.tools)}).encode()
    return ScriptedPlay(Response(200, JSON_HEADERS, body), hosted, n, "ToolsReturned")


def _start(hosted: HostedRollout, n: int, request: Request) -> ScriptedPlay:
    hosted.starts.append(n)
    body = parse(request.body)
    hosted.body = body if isinstance(body, dict) else {}
    if hosted.refusals:
        refusal = hosted.refusals.pop(0)
        headers = tuple((name, request.path if value == HERE else value) for name, value in refusal.headers)
        answer = Response(refusal.status, (*JSON_HEADERS, *headers), b'{"detail": "scripted"}')
        return ScriptedPlay(answer, hosted, n, "StartRejected")
    hosted.accepted = True
    if hosted.dialect == "sync":
        return ScriptedPlay(Response(200, JSON_HEADERS), hosted, n, "ResultReturned", hold=hosted.ended)
    reply = {"rollout_id": hosted.body.get("rollout_id"), "tools": list(hosted.tools)}
    accepted = Response(202, JSON_HEADERS, json.dumps(reply).encode())
    return ScriptedPlay(accepted, hosted, n, "StartAccepted", delay_s=hosted.accept_after_s)
