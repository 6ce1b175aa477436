"""What the suite asks of an engine: one frozen value a verb. They drive; none of them judges."""

import asyncio
import contextlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import httpx

from rollout_conformance.steps.engine import body_limits
from rollout_conformance.steps.engine.http_client import headers, transport_fault
from rollout_conformance.steps.engine.session import Session
from rollout_conformance.steps.engine.sse import Parser
from rollout_conformance.steps.engine.trace import Headers, NotJson, Request, Response, parse
from rollout_conformance.steps.peers import calculator
from rollout_conformance.steps.profiles.chat.replies import DONE, CaseContext, Chunk, Reply, put_together

CHAT = "/v1/chat/completions"
COMPLETIONS = "/v1/completions"
HEALTH = "{health}"  # in a path: the one that says whether the target runs
SESSION = "{session}"  # in a body, a path or a header: the name of the case's own session
SAMPLING: Mapping[str, Any] = {"temperature": 0, "max_tokens": 256}
GAUGE = re.compile(r"^(vllm:\w+)(?:\{.*\})? ([-+.\deE]+|NaN)$", re.M)  # one line: a label's value may hold a brace
PATIENCE_S = 5.0
SPARE_EVENTS, MOST_EVENTS = 1000, 50_000
BUSY = (429, 503)
LONGEST_EVENT = 16 << 20  # bytes


@dataclass(frozen=True, slots=True)
class Ask:
    """Ask for a chat completion and keep the reply as `name`; `times` of them as name#1, name#2, ..., each with its own `seed`
    where `seeds` says so.

    The conversation is `messages`, or the one question `ask`, or that of the reply `after` with what it said, what its tools gave and
    then `ask`. `tools` are names of the calculator; `change` is merged over the body, `without` removed from it. A stream is left after
    `leave_after` chunks, where that is above 0. `rewritten` says that the history is such as the engine would not have given it.
    `headers` are sent besides; `key` is one of those of `Send`.
    `longer_than_it_takes` asks with more tokens than the engine says that it takes. With a `prompt` it is a plain completion that is asked
    for.
    """

    name: str = "it"
    ask: str = ""
    messages: tuple[Mapping[str, Any], ...] = ()
    after: str = ""
    tools: tuple[str, ...] = ()
    stream: bool = False
    change: Mapping[str, Any] = field(default_factory=dict)
    without: tuple[str, ...] = ()
    times: int = 1
    seeds: bool = False
    leave_after: int = 0
    rewritten: bool = False
    longer_than_it_takes: bool = False
    headers: Mapping[str, str] = field(default_factory=dict)
    key: str = "right"
    prompt: str = ""

    @property
    def copies(self) -> int:
        """How many requests are under way at once, where that is more than one."""
        return self.times if self.times > 1 else 0

    @property
    def path(self) -> str:
        return COMPLETIONS if self.prompt else CHAT

    async def perform(self, session: Session) -> None:
        names = [self.name] if self.times == 1 else [f"{self.name}#{n + 1}" for n in range(self.times)]
        await asyncio.gather(*(self._one(session, name, n) for n, name in enumerate(names)))

    async def _one(self, session: Session, name: str, nth: int) -> None:
        body = self.body(session) | ({"seed": 1000 + nth} if self.seeds else {})
        replies: dict[str, Reply] = session.state.setdefault("replies", {})
        before = session.last_activity.answers
        reply = await (_streamed if body.get("stream") else _whole)(session, self, name, body)
        others = session.trace.exchanges[reply.n].response is None and session.last_activity.answers > before
        replies[name] = replace(reply, too_long=self.longer_than_it_takes, others_answered=others)

    def body(self, session: Session) -> dict[str, Any]:
        context: CaseContext = session.context
        named = {"model": context.model} if context.model else {}  # an engine that lists none may still have one
        asked = {"prompt": self._prompt(session)} if self.prompt else {"messages": self._messages(session)}
        body: dict[str, Any] = {**named, **asked, **SAMPLING, **context.wanted}
        if self.tools:
            body["tools"] = [calculator.tool(name) for name in self.tools]
        if self.stream:
            body["stream"] = True
        body |= self.change
        return {name: value for name, value in body.items() if name not in self.without}

    def _prompt(self, session: Session) -> str:
        name = session.state.get("session_name")
        return f"Session {name}. {self.prompt}" if name else self.prompt

    def _messages(self, session: Session) -> list[Any]:
        earlier = session.state.get("replies", {}).get(self.after) if self.after else None
        name = session.state.get("session_name")
        messages: list[Any] = [{"role": "system", "content": f"Session {name}."}] if name else []
        messages += self.messages
        if self.longer_than_it_takes:
            messages.append(
                {"role": "user", "content": "a " * session.context.context_tokens}
            )  # a token each, and the template's
        if earlier is not None and earlier.choices:
            messages = [*earlier.asked, _again(earlier.choices[0].message)]
            messages += calculator.result_messages(earlier.choices[0].calls)
        return messages + ([{"role": "user", "content": self.ask}] if self.ask else [])


def _again(message: Mapping[str, Any]) -> dict[str, Any]:
    """A message as a client gives it back: without what the engine left null."""
    return {"role": "assistant", "content": None, **{k: v for k, v in message.items() if v is not None and v != []}}


def request_of(session: Session, body: Mapping[str, Any], ask: Ask) -> Request:
    mine = {"content-type": "application/json", **dict(_key(session.context, ask.key)), **ask.headers}
    headers = tuple(
        (name.lower(), value.replace(SESSION, str(session.state.get("session_name")))) for name, value in mine.items()
    )
    return Request("POST", ask.path, headers, json.dumps(body).encode())


def _key(context: CaseContext, how: str) -> tuple[tuple[str, str], ...]:
    """The header of a key, by what is to be wrong with it or by its name on the card; `x_right` in the header X-API-Key."""
    key = context.card.keys.get(how, context.key)
    if how == "none" or key is None:
        return ()
    if how == "x_right":
        return (("x-api-key", key),)
    value = {"wrong": "rc-no-such-key", "latin": "schl\u00fcssel", "small": key.swapcase(), "longer": f"{key}x"}.get(
        how, key
    )
    return (("authorization", f"Bearer {value}"),)


async def _whole(session: Session, ask: Ask, name: str, body: Mapping[str, Any]) -> Reply:
    n = await session.send(request_of(session, body, ask), rollout="-")
    response = session.trace.exchanges[n].response
    answer = answered(session, n)
    raw = response.body if response else b""
    return Reply(name, n, body, response.status if response else None, answer, rewritten=ask.rewritten, raw=raw)


def answered(session: Session, n: int) -> Any:
    """What exchange `n` was answered, as JSON; a `NotJson` with the reason when it was not, or not with JSON."""
    exchange = session.trace.exchanges[n]
    return parse(exchange.response.body) if exchange.response else NotJson(exchange.fault or "no answer")


async def _streamed(session: Session, ask: Ask, name: str, body: Mapping[str, Any]) -> Reply:
    """Read a stream as it arrives, or some of it. What breaks off is a reply without an end."""
    request = request_of(session, body, ask)
    n = session.trace.open(request, to_target=True, rollout="-")
    read = _Reading(most=most_events(body, session.context))
    fault = None
    try:
        async with (
            asyncio.timeout(session.patience_s * 4),
            session.client.stream(
                "POST", session.target + ask.path, content=request.body, headers=dict(request.headers)
            ) as reply,
        ):
            read.status, read.headers = reply.status_code, headers(reply)
            async for piece in reply.aiter_raw():
                read.add(piece, session.trace.now())
                if 0 < ask.leave_after <= len(read.chunks):
                    break
    except TimeoutError:
        fault = f"no end within {session.patience_s * 4:g} s"
    except _Endless as error:
        fault = str(error)
    except (httpx.HTTPError, OSError) as error:
        fault = transport_fault(error)
    if fault is None:
        session.last_activity.answers += 1
        session.touch()
    raw = body_limits.kept(read.raw[: body_limits.KEPT] if fault else read.raw)
    read.parser = Parser()  # what it holds of an unfinished event is not needed
    session.trace.close(n, None if fault else Response(read.status or 0, read.headers, raw), fault)
    kind = next((value for header, value in read.headers if header == "content-type"), "")
    whole = _meaning(read, raw, fault)
    return Reply(
        name, n, body, read.status, whole, tuple(read.chunks), bool(ask.leave_after), ask.rewritten, kind, raw, fault
    )


class _Endless(Exception):
    """A stream of more events than can have been asked for."""


def most_events(body: Mapping[str, Any], context: CaseContext) -> int:
    """How many events of a stream are read: a few for each token that may be sampled."""
    asked = [body.get(name) for name in ("max_tokens", "max_completion_tokens")]
    tokens = next((one for one in asked if type(one) is int and one > 0), context.context_tokens)
    choices = body.get("n")
    return SPARE_EVENTS + min(4 * tokens * (choices if type(choices) is int and choices > 0 else 1), MOST_EVENTS)


@dataclass(slots=True)
class _Reading:
    """A stream while it is read."""

    most: int
    status: int | None = None
    headers: Headers = ()
    raw: bytearray = field(default_factory=bytearray)
    chunks: list[Chunk] = field(default_factory=list)
    parser: Parser = field(default_factory=Parser)
    waiting: int = 0  # bytes since the last event

    def add(self, piece: bytes, at: float) -> None:
        self.raw += piece
        events = [Chunk(at, event_data(event.data)) for event in self.parser.feed(piece)]
        self.chunks += events
        self.waiting = 0 if events else self.waiting + len(piece)
        if self.waiting > LONGEST_EVENT:
            del self.raw[body_limits.KEPT :]
            raise _Endless(f"more than {LONGEST_EVENT >> 20} MiB of body without the end of an event")
        if len(self.chunks) > self.most:
            seen = len(self.chunks)
            del self.chunks[SPARE_EVENTS:], self.raw[body_limits.KEPT :]
            raise _Endless(f"a stream of more than {self.most} events ({seen} were read)")


def _meaning(read: _Reading, raw: bytes, fault: str | None) -> Any:
    if read.status == 200:
        return put_together(read.chunks)
    return parse(raw) if raw else NotJson(fault or "it is empty")


def event_data(text: str) -> Any:
    return DONE if text == DONE else parse(text.encode())


@dataclass(frozen=True, slots=True)
class Send:
    """Send a request of any kind and keep its answer as `name`. `raw` is the body as text, `key` the one sent: right, none, wrong, latin,
    small (in other letters) or longer (by one)."""

    path: str
    method: str = "GET"
    raw: str = ""
    name: str = "it"
    key: str = "right"
    size: int = 0
    headers: Mapping[str, str] = field(default_factory=dict)

    async def perform(self, session: Session) -> None:
        raw = self.raw.replace(SESSION, str(session.state.get("session_name"))).encode()
        mine = {"content-type": "application/json", **dict(_key(session.context, self.key)), **self.headers}
        headers = tuple(
            (name.lower(), value.replace(SESSION, str(session.state.get("session_name"))))
            for name, value in mine.items()
        )
        n = await session.send(
            Request(
                self.method,
                self._path(session),
                headers,
                raw + b" " * max(0, self.size - len(raw)),
            ),
            rollout="-",
        )
        response = session.trace.exchanges[n].response
        body, raw_answer = answered(session, n), response.body if response else b""
        reply = Reply(self.name, n, {}, response.status if response else None, body, raw=raw_answer)
        session.state.setdefault("replies", {})[self.name] = reply

    def _path(self, session: Session) -> str:
        path = self.path.replace(SESSION, str(session.state.get("session_name")))
        return path.replace(HEALTH, getattr(session.context, "health", "/health"))


@dataclass(frozen=True, slots=True)
class Measure:
    """Read /metrics, again and again until no request runs or the patience is over; keep the readings as `name`."""

    name: str = "it"
    idle: bool = True

    async def perform(self, session: Session) -> None:
        loop = asyncio.get_running_loop()
        end = loop.time() + PATIENCE_S
        while True:
            n = await session.send(Request("GET", "/metrics", ()), rollout="-")
            response = session.trace.exchanges[n].response
            found = gauges(response.body.decode("utf-8", "replace") if response else "")
            if not self.idle or not found.get("vllm:num_requests_running") or loop.time() > end:
                break
            await asyncio.sleep(0.02)
        session.state.setdefault("gauges", {})[self.name] = found


def gauges(text: str) -> dict[str, float]:
    """The values of vLLM's own metrics, summed over their labels."""
    found: dict[str, float] = {}
    for name, value in GAUGE.findall(text):
        with contextlib.suppress(ValueError):  # letters of a number that are none
            found[name] = found.get(name, 0.0) + float(value)
    return found
