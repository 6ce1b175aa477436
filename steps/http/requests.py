"""What a client of the target does: it sends requests, waits for a status, or lets time pass."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated

from rollout_conformance.steps.engine.session import Session, WaitTimeout
from rollout_conformance.steps.engine.target_card import Card
from rollout_conformance.steps.engine.trace import Headers, Request
from rollout_conformance.steps.engine.verb_parsing import Written
from rollout_conformance.steps.engine.verbs import phrase, verb
from rollout_conformance.steps.http.keys import key_header
from rollout_conformance.steps.http.responses import COPY, kept, responses_of, session_name
from rollout_conformance.steps.http.waiting import LOOK_S, repeat_until

SESSION = "{session}"  # in a body, a path or a header: the name of the case's own session
HEALTH = "{health}"  # in a path: the one that says whether the target runs


class _Null:
    """The JSON value null, where None means that there is no body."""

    def __repr__(self) -> str:
        return "null"


NULL = _Null()


@dataclass(frozen=True, slots=True)
class NamedRequest:
    """An action that keeps a response under a name."""

    name: str = field(default="", kw_only=True)
    "A name for the response, by which expectations find it. Without one it is found as `it` (the last), `first`, `second` and so on."

    @property
    def keeps(self) -> tuple[str, ...]:
        """The names of the requests whose responses are kept."""
        return (self.name,)


@dataclass(frozen=True, slots=True)
class RequestAction(NamedRequest):
    """A request that is sent once or several times, and whose responses are kept. A subclass says how one of them is sent."""

    times: int = field(default=1, kw_only=True)
    "How many times the request is sent; the responses are called name#1, name#2 and so on."
    concurrent: bool = field(default=True, kw_only=True)
    "Whether several are sent at the same time, or each after the response to the one before."
    background: bool = field(default=False, kw_only=True)
    "Whether the case continues while the request is in flight, until a later step waits for its response."

    @property
    def copies(self) -> int:
        """How many requests are under way at once, where that is more than one."""
        return self.times if (self.times > 1 and self.concurrent) or self.background else 0

    async def perform(self, session: Session) -> None:
        name = responses_of(session).reserve(self.name)
        names = [name] if self.times == 1 else [f"{name}{COPY}{n + 1}" for n in range(self.times)]
        if not (self.background or self.concurrent):
            await self._one_after_the_other(session, names)
            return
        sending = [self.send_one(session, name, n) for n, name in enumerate(names)]
        if self.background:
            in_flight(session).extend(map(session.spawn, sending))
            return
        await asyncio.gather(*sending)

    async def _one_after_the_other(self, session: Session, names: Sequence[str]) -> None:
        """Raises `WaitTimeout` after one that had no response in time: each of the others would be waited for as long."""
        before = session.unanswered
        for nth, name in enumerate(names):
            await self.send_one(session, name, nth)
            if nth < len(names) - 1 and session.unanswered > before:
                raise WaitTimeout(f"the response to request {nth + 1} of {len(names)}")

    async def send_one(self, session: Session, name: str, nth: int) -> None:
        raise NotImplementedError


def in_flight(session: Session) -> "list[asyncio.Task[object]]":
    """The requests in the background that no step has waited for."""
    found: list[asyncio.Task[object]] = session.state.setdefault("in_flight", [])
    return found


@verb(
    "send",
    short="path",
    example=("/v1/models", "{method: POST, path: /v1/chat/completions, raw: '[1]'}", "{path: /v1/models, key: none}"),
)
@dataclass(frozen=True, slots=True)
class Send(RequestAction):
    """Send any HTTP request."""

    path: str
    "Path and query; `{session}` is the name of the case's own session, `{health}` the path of the health check. /health, \
/v1/models and /metrics are the paths that the card names for them."
    method: str = "GET"
    raw: str = ""
    "The body as text, sent byte for byte."
    json: Annotated[object, Written(lambda value: NULL if value is None else value)] = None
    "The body as JSON."
    key: str = "right"
    "The API key: right, none, wrong, latin (not ASCII), small (letters of the other case), longer or shorter (by one letter), x_right (the right \
one in X-API-Key), or the name of another key on the card."
    size: int = 0
    "White space is added to the body until it has so many bytes."
    headers: Mapping[str, str] = field(default_factory=dict)
    "Headers beside Content-Type and the key, or in place of them."

    def __post_init__(self) -> None:
        """Raises `ValueError` for what no server can be blamed for."""
        if not self.path.startswith(("/", HEALTH)):
            raise ValueError(f"path: {self.path!r} does not begin with /")
        if self.raw and self.json is not None:
            raise ValueError("raw and json: a request has one body; write one of them")

    async def send_one(self, session: Session, name: str, nth: int) -> None:
        body = self.raw if self.json is None else json.dumps(None if self.json is NULL else self.json)
        raw = filled_in(session, body).encode()
        request = Request(
            self.method,
            path_of(session, self.path),
            request_headers(session, self.key, self.headers),
            raw + b" " * max(0, self.size - len(raw)),
        )
        kept(session, name, await session.send(request, rollout="-"))


def filled_in(session: Session, text: str) -> str:
    """A text with the values of its placeholders."""
    found = text.replace(SESSION, session_name(session)) if SESSION in text else text
    return found.replace(HEALTH, getattr(session.context, "health", "/health")) if HEALTH in found else found


def path_of(session: Session, written: str) -> str:
    """A path with the values of its placeholders. For what most targets have at a usual path, the path that the card names."""
    path, mark, query = filled_in(session, written).partition("?")
    card = getattr(session.context, "card", None)
    return (card.path(path) if isinstance(card, Card) else path) + mark + query


def request_headers(session: Session, key: str, more: Mapping[str, str]) -> Headers:
    """The headers of a JSON request with a key of this kind. One that a case writes replaces the usual one, in whatever case its name is
    written: of two values a server may take either (RFC 9110, section 5.3)."""
    written = {name.lower(): value for name, value in more.items()}
    given = {"content-type": "application/json", **key_header(session.context, key), **written}
    return tuple((name, filled_in(session, value)) for name, value in given.items())


@verb("wait_for_status", short="path", example="{path: /health, statuses: [503]}")
@phrase("GET {path:path} eventually returns {statuses:statuses}")
@dataclass(frozen=True, slots=True)
class WaitForStatus(NamedRequest):
    """Repeat a GET until the response has one of the statuses, or the patience of the case is over. The last response is kept."""

    path: str
    "Path and query, beginning with `/`."
    statuses: tuple[int, ...] = (200,)
    "The statuses to wait for. That the last response has one is a demand of its own."
    key: str = "none"
    "The API key, as in `send`."

    async def perform(self, session: Session) -> None:
        name = responses_of(session).reserve(self.name)

        async def attempt() -> bool:
            await Send(self.path, name=name, key=self.key).perform(session)
            return responses_of(session).by_name[name].status in self.statuses

        await repeat_until(session, attempt, every_s=LOOK_S)


@verb("pause", short="seconds", example="0.5")
@phrase("{seconds:number} s pass")
@dataclass(frozen=True, slots=True)
class Pause:
    """Let time pass: for limits that are about time."""

    seconds: float
    "How long."

    async def perform(self, session: Session) -> None:
        await asyncio.sleep(self.seconds)
