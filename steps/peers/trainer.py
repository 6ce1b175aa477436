"""The scripted trainer without I/O: a request goes in, a play comes out.

The binding that carries the play (respx in process, Starlette over a socket) performs it exactly and reports back what became of
it. Rollouts are told apart by the id in the body, else by the key, else by a nonce anywhere in the body, so that a server
that loses one of them is found out by a check and not by a hanging case.
"""

import asyncio
import gzip
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import orjson

from rollout_conformance.steps.engine import body_limits
from rollout_conformance.steps.engine.lenient_json import mapping
from rollout_conformance.steps.engine.trace import NotJson, Request, Response, Trace, parse
from rollout_conformance.steps.peers import streamed_reply
from rollout_conformance.steps.peers.script import Ack, Call, Cursor, Fault, Line, Loss, Reply, Script
from rollout_conformance.steps.peers.token_oracle import Issued, assistant_message, sample
from rollout_conformance.steps.peers.tokens import Tokens

PLAIN = "application/json"
JSON = (("content-type", PLAIN),)
GZIP_REFUSED = re.compile(r"q=0(\.0*)?")
NONCE = re.compile(rb"rc-[0-9a-f]{8}-\d+x")
HUNG_UP = "the server closed the connection before the answer"
SAMPLED = 4  # tokens of the reply that a script is tried on
OFF_SCRIPT = Reply(text="The conversation has ended.")

# What a request of each kind is called, and what its answer is, good or not.
ASKED = {"chat": "GenerationRequested", "completed": "CompletedSent", "graded": "GradedSent"}
ANSWERED = {
    "chat": ("GenerationReturned", "GenerationFailed"),
    "completed": ("CompletedAcknowledged", "CompletedUnacknowledged"),
    "graded": ("GradedAcknowledged", "GradedUnacknowledged"),
}

Kind = Literal["chat", "completed", "graded"]


def scripted(loss: Loss | None) -> str:
    """The fault of an exchange that the script lost."""
    return f"scripted: {loss}"


@dataclass(slots=True)
class Enrolled:
    """One rollout that the trainer plays its part in. `gate` gives the event that a held reply waits for; `streams` says whether a generation
    request that asks for a stream gets one."""

    label: str
    rollout_id: str
    key: str | None
    nonce: str
    trace: Trace
    tokens: Tokens
    script: Script
    gate: Callable[[str], asyncio.Event]
    tools: Sequence[object] | None = None
    sampled: bool = False
    streams: bool = False
    issued: list[Issued] = field(default_factory=list)
    lines: Cursor[Line] = field(init=False)
    acks: Cursor[Ack] = field(init=False)

    def __post_init__(self) -> None:
        self.lines = Cursor(self.script.lines)
        self.acks = Cursor(self.script.acks)


@dataclass(frozen=True, slots=True)
class Play:
    """How one request is to be answered, and where the outcome is to be recorded. `readable` is the response before it was compressed."""

    response: Response
    loss: Loss | None = None
    drip: bool = False
    delay_s: float = 0.0
    hold: asyncio.Event | None = None
    enrolled: Enrolled | None = None
    exchange: int = -1
    kind: Kind = "chat"
    readable: Response | None = None

    def delivered(self) -> None:
        """Call just before the last byte is handed over: what follows on the wire comes after it."""
        if self.enrolled is None:
            return
        good = 200 <= self.response.status < 300
        self.enrolled.trace.close(self.exchange, self.readable or self.response)
        self._event(good)

    def failed(self) -> None:
        """Call when the loss that the script asks for is carried out."""
        if self.enrolled is not None:
            self.enrolled.trace.close(self.exchange, fault=scripted(self.loss))
            self._event(good=False)

    def abandoned(self) -> None:
        """Call when the other side closed the connection before it had its answer."""
        if self.enrolled is None:
            return
        self.enrolled.trace.close(self.exchange, fault=HUNG_UP)
        if self.kind == "chat":
            self.enrolled.trace.event(self.enrolled.label, "server", "GenerationDisconnected", self.exchange)
        else:
            self._event(good=False)

    def _event(self, good: bool) -> None:
        if self.enrolled is not None:
            name = ANSWERED[self.kind][0 if good else 1]
            self.enrolled.trace.event(self.enrolled.label, "trainer", name, self.exchange)


class ScriptedTrainer:
    """Answers for every enrolled rollout; what belongs to none is kept in `unmatched_requests` and answered 404.

    `troubles` says of a rollout, by its nonce, why it cannot be judged: a script never fails, an engine does.
    """

    def __init__(self) -> None:
        self._by_id: dict[str, Enrolled] = {}
        self._by_key: dict[str, Enrolled] = {}
        self._by_nonce: dict[str, Enrolled] = {}
        self.unmatched_requests: list[Request] = []
        self.troubles: dict[str, str] = {}

    def enroll(self, rollout: Enrolled) -> None:
        self._by_id[rollout.rollout_id] = rollout
        self._by_nonce[rollout.nonce] = rollout
        if rollout.key:
            self._by_key[rollout.key] = rollout

    def receive(self, request: Request) -> Play:
        """Decide on one request. Every request leaves its mark in a trace, or among the unmatched requests."""
        kind = _kind(request.path)
        body = parse(request.body)
        rollout = self._whose(request, body)
        if rollout is None or kind is None or request.method != "POST":
            self.unmatched_requests.append(replace(request, body=body_limits.ends(request.body)))
            return Play(error(404, f"no rollout is known for {request.method} {request.path}"))
        n = rollout.trace.open(request, to_target=False, rollout=rollout.label)
        rollout.trace.event(rollout.label, "server", ASKED[kind], n)
        return self._chat(rollout, n, body) if kind == "chat" else _ack(rollout, n, kind)

    def trace_of(self, request: Request) -> Trace | None:
        """The trace of the case that a request belongs to."""
        rollout = self._whose(request, parse(request.body))
        return rollout.trace if rollout is not None else None

    def _whose(self, request: Request, body: object) -> Enrolled | None:
        named = body.get("rollout_id") if isinstance(body, dict) else None
        if isinstance(named, str) and named in self._by_id:
            return self._by_id[named]
        routed = NONCE.search(request.path.encode())
        if routed and routed.group().decode() in self._by_nonce:
            return self._by_nonce[routed.group().decode()]
        key = (request.header("authorization") or "").removeprefix("Bearer ")
        if key in self._by_key:
            return self._by_key[key]
        found = NONCE.search(request.body)
        return self._by_nonce.get(found.group().decode()) if found else None

    def _chat(self, rollout: Enrolled, n: int, body: object) -> Play:
        messages = body.get("messages") if isinstance(body, dict) else None
        if isinstance(body, NotJson) or not isinstance(messages, list):
            return Play(error(422, "messages: a list is required"), enrolled=rollout, exchange=n)
        line = rollout.lines.take() or OFF_SCRIPT
        if isinstance(line, Fault):
            response = Response(line.status, (*JSON, *line.headers), _fault_body(line))
            return Play(response, loss=line.loss, delay_s=line.delay_s, enrolled=rollout, exchange=n)
        return self._generate(rollout, n, line, messages)

    def _generate(self, rollout: Enrolled, n: int, line: Reply, messages: list[object]) -> Play:
        message = assistant_message(line, len(rollout.issued), rollout.nonce)
        prompt = tuple(rollout.tokens.prompt_ids(messages, rollout.tools))
        ids, logprobs = sample(rollout.tokens, line, message, rollout.tools)
        finish = line.finish or ("tool_calls" if message.get("tool_calls") else "stop")
        lost, tampered = line.lost is not None, bool(line.put or line.drop or line.message)
        issued = Issued(
            exchange=n,
            prompt_ids=prompt,
            token_ids=ids,
            logprobs=logprobs,
            message=message,
            finish_reason=finish,
            canonical=not line.odd,
            end_token=line.end_token,
            lost=lost,
            tampered=tampered,
        )
        rollout.issued.append(issued)
        response = generation_response(rollout, issued, line)
        hold = rollout.gate(line.hold) if line.hold else None
        play = Play(response, line.lost, line.drip, line.delay_s, hold, rollout, n)
        return _compressed(play) if line.gzip and _accepts_gzip(rollout.trace.exchanges[n].request) else play


def _accepts_gzip(request: Request) -> bool:
    """Whether the request names gzip. One without Accept-Encoding accepts every coding (RFC 9110, 12.5.3), but few clients mean that."""
    offers = (offer.replace(" ", "").lower() for offer in (request.header("accept-encoding") or "").split(","))
    return any(
        name in ("gzip", "x-gzip") and not GZIP_REFUSED.fullmatch(q)
        for name, _, q in (o.partition(";") for o in offers)
    )


def _compressed(play: Play) -> Play:
    """The same, compressed on the wire. The trace keeps the body that the target has to read."""
    readable = replace(play.response, headers=(*play.response.headers, ("content-encoding", "gzip")))
    return replace(play, response=replace(readable, body=gzip.compress(readable.body, mtime=0)), readable=readable)


def _kind(path: str) -> Kind | None:
    path = path.partition("?")[0]
    if path.endswith("/chat/completions"):
        return "chat"
    if path.endswith("/rollout/graded"):
        return "graded"
    return "completed" if path.endswith("/rollout/completed") else None


def _ack(rollout: Enrolled, n: int, kind: Kind) -> Play:
    ack = rollout.acks.take() or Ack()
    body = b"" if ack.status in (204, 304) else b'{"status":"ok"}'
    return Play(Response(ack.status, (*JSON, *ack.headers), body), ack.loss, enrolled=rollout, exchange=n, kind=kind)


def generation_response(rollout: Enrolled, issued: Issued, line: Reply) -> Response:
    """The response with a generation, with what the script changes of it: a JSON object, or a stream where the request asks for one."""
    reply = _reply(rollout.nonce, len(rollout.issued), issued)
    bend(reply, line)
    asked = parse(rollout.trace.exchanges[issued.exchange].request.body) if rollout.streams else None
    streamed = streamed_reply.requested(asked)
    media = streamed_reply.EVENT_STREAM if streamed and line.content_type == PLAIN else line.content_type
    headers = (("content-type", media), *((("connection", "close"),) if line.close else ()))
    return Response(200, headers, streamed_reply.encode(mapping(reply), asked, _dump) if streamed else _dump(reply))


def _reply(nonce: str, number: int, issued: Issued) -> dict[str, object]:
    return {
        "id": f"chatcmpl-{nonce}-{number}",
        "object": "chat.completion",
        "created": 1_700_000_000 + number,
        "model": "default",
        "choices": [{"index": 0, "message": dict(issued.message), "finish_reason": issued.finish_reason}],
        "usage": _usage(len(issued.prompt_ids), len(issued.token_ids)),
        "prompt_token_ids": list(issued.prompt_ids),
        "token_ids": list(issued.token_ids),
        "logprobs": list(issued.logprobs),
    }


def bend(reply: dict[str, object], line: Reply) -> None:
    """What the script changes of a reply. Raises `ValueError` for a path that leads nowhere in it."""
    for path in line.drop:
        holder, key = _descend(reply, path)
        if isinstance(holder, dict) and key not in holder:
            raise ValueError(f"drop: {path}: the reply has no {key!r} there; it has {_shown(holder)}")
        del holder[key]
    for path, value in line.put.items():
        holder, key = _descend(reply, path)
        holder[key] = value


def fitting(line: Reply) -> None:
    """Raises `ValueError` unless a reply can be bent and sent as the line says: tried on one with a call for each that it makes."""
    calls = tuple(call if isinstance(call, Call) else Call("add", "{}") for call in line.calls)
    message = assistant_message(replace(line, calls=calls), 0, "x")
    ids = (1,) * SAMPLED
    issued = Issued(
        exchange=0,
        prompt_ids=ids,
        token_ids=ids,
        logprobs=(-0.5,) * SAMPLED,
        message=message,
        finish_reason=line.finish or "stop",
        canonical=True,
        end_token=True,
        lost=False,
        tampered=False,
    )
    reply = _reply("x", 1, issued)
    bend(reply, line)
    try:
        json.dumps(reply, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ValueError(f"the reply cannot be sent as JSON: {error}") from None


def _usage(prompt: int, completion: int) -> dict[str, int]:
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}


def _descend(reply: dict[str, Any], path: str) -> tuple[Any, Any]:
    """What holds the member at the end of a path, and its key there."""
    holder: Any = reply
    *steps, last = path.split(".")
    for step in steps:
        key = _key(holder, step, path)
        if isinstance(holder, dict) and key not in holder:
            raise ValueError(f"{path}: the reply has no {step!r} there; it has {_shown(holder)}")
        holder = holder[key]
    return holder, _key(holder, last, path)


def _key(holder: Any, step: str, path: str) -> Any:
    if isinstance(holder, dict):
        return step
    if not isinstance(holder, list):
        raise ValueError(f"{path}: {step!r} is looked for in {holder!r}, which has no members")
    if not step.isdigit() or int(step) >= len(holder):
        raise ValueError(f"{path}: {step!r} is no place in a list of {len(holder)}")
    return int(step)


def _shown(holder: Any) -> str:
    return ", ".join(map(str, holder)) if isinstance(holder, dict) else f"a list of {len(holder)}"


def _dump(value: object) -> bytes:
    try:
        return orjson.dumps(value)
    except TypeError:  # a lone surrogate, which only the escaped form can carry
        return json.dumps(value).encode()


def _fault_body(line: Fault) -> bytes:
    if line.body is not None:
        return line.body
    return error(line.status, "scripted fault").body


def error(status: int, message: str) -> Response:
    """An error in the form that OpenAI gives it."""
    body = orjson.dumps({"error": {"message": message, "type": "scripted", "code": status}})
    return Response(status, JSON, body)
