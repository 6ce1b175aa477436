"""The engines behind a router without I/O: several, one script. Whichever is asked first plays the first line.

Rollouts of a case are told apart by the nonce that its conversation holds. Requests about nothing of ours (models, health) are answered
like any engine would.
"""

import asyncio
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from steps.engine.trace import Request, Response, Trace, parse

JSON = (("content-type", "application/json"),)
SSE = (("content-type", "text/event-stream"),)
NONCE = re.compile(rb"rc-[0-9a-f]{8}-\d+x")
MODEL = "rc-model"
WORDS = "One two three four five six seven eight nine ten."


@dataclass(frozen=True, slots=True)
class BackendLine:
    """How one request is answered. `put` is merged over the reply; a stream goes at `pace_s` a chunk and breaks off after `dies_after`."""

    say: str = WORDS
    status: int = 200
    body: str = ""
    loss: Literal["reset", "stall"] | None = None
    delay_s: float = 0.0
    pace_s: float = 0.0
    dies_after: int = 0
    put: Mapping[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class Plan:
    """What the engines do in one case, and what reached them. `asked` are (backend, request); `left` those whose router hung up."""

    nonce: str
    trace: Trace
    lines: Sequence[BackendLine] = (BackendLine(),)
    asked: list[tuple[str, Request]] = field(default_factory=list)
    left: list[float] = field(default_factory=list)
    finished: list[float] = field(default_factory=list)

    def take(self) -> BackendLine:
        return self.lines[min(len(self.asked) - 1, len(self.lines) - 1)]


@dataclass(slots=True)
class BackendPlay:
    """One answer; the binding performs it."""

    response: Response
    plan: Plan | None = None
    loss: Literal["reset", "stall"] | None = None
    delay_s: float = 0.0
    pieces: Sequence[bytes] = ()
    pace_s: float = 0.0
    dies: bool = False
    hold: asyncio.Event | None = None
    drip: bool = False

    def delivered(self) -> None:
        if self.plan is not None:
            self.plan.finished.append(self.plan.trace.now())

    def failed(self) -> None:
        """What breaks off does so on purpose."""

    def abandoned(self) -> None:
        if self.plan is not None:
            self.plan.left.append(self.plan.trace.now())


class Backends:
    """What all engines share: the plans."""

    def __init__(self) -> None:
        self.plans: dict[str, Plan] = {}

    def enroll(self, plan: Plan) -> None:
        self.plans[plan.nonce] = plan


@dataclass(frozen=True, slots=True)
class Backend:
    """One engine, by name."""

    name: str
    all: Backends

    def receive(self, request: Request) -> BackendPlay:
        found = NONCE.search(request.body)
        plan = self.all.plans.get(found.group().decode()) if found else None
        if plan is None or request.method != "POST":
            return BackendPlay(_aside(request))
        plan.asked.append((self.name, request))
        speak = TEXT if request.path.partition("?")[0].endswith("/v1/completions") else CHAT
        return _answer(plan, plan.take(), parse(request.body), speak)


def _aside(request: Request) -> Response:
    path = request.path.partition("?")[0]
    if path.endswith("/models"):
        listed = {
            "object": "list",
            "data": [{"id": MODEL, "object": "model", "created": 1, "owned_by": "rc", "max_model_len": 4096}],
        }
        return Response(200, JSON, json.dumps(listed).encode())
    return (
        Response(200, JSON, b"{}")
        if request.method == "GET"
        else Response(200, JSON, json.dumps(_completion("Hello.", {}, CHAT)).encode())
    )


def _answer(plan: Plan, line: BackendLine, body: Any, speak: "Speech") -> BackendPlay:
    if line.loss is not None:
        return BackendPlay(Response(200, JSON, b"{}"), plan, line.loss, line.delay_s)
    if line.status != 200:
        told = line.body or json.dumps(
            {"error": {"message": f"scripted {line.status}", "type": "scripted", "code": line.status}}
        )
        return BackendPlay(Response(line.status, JSON, told.encode()), plan, delay_s=line.delay_s)
    if isinstance(body, dict) and body.get("stream"):
        options = body.get("stream_options")
        pieces = list(_stream(line, bool(isinstance(options, dict) and options.get("include_usage")), speak))
        dies = 0 < line.dies_after < len(pieces)
        pieces = pieces[: line.dies_after] if dies else pieces
        return BackendPlay(Response(200, SSE, b""), plan, None, line.delay_s, pieces, line.pace_s, dies)
    return BackendPlay(
        Response(200, JSON, json.dumps(_completion(line.say, line.put, speak)).encode()), plan, delay_s=line.delay_s
    )


@dataclass(frozen=True, slots=True)
class Speech:
    """What replies and chunks of one path are called, and where their text stands."""

    whole: str
    chunk: str
    is_chat: bool

    def said(self, text: str) -> dict[str, Any]:
        return {"message": {"role": "assistant", "content": text}} if self.is_chat else {"text": text}

    def piece(self, text: str, **more: Any) -> dict[str, Any]:
        return {"delta": {"content": text, **more}} if self.is_chat else {"text": text, **more}


CHAT = Speech("chat.completion", "chat.completion.chunk", is_chat=True)
TEXT = Speech("text_completion", "text_completion", is_chat=False)


def _completion(text: str, put: Mapping[str, Any], speak: Speech) -> dict[str, Any]:
    count = len(text.split())
    return {
        "id": f"chatcmpl-{abs(hash(text)) % 10**9}",
        "object": speak.whole,
        "created": 1_700_000_000,
        "model": MODEL,
        "choices": [{"index": 0, **speak.said(text), "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 7, "completion_tokens": count, "total_tokens": 7 + count},
        **put,
    }


def _stream(line: BackendLine, usage: bool, speak: Speech) -> Iterator[bytes]:
    head = {
        "id": "chatcmpl-rc",
        "object": speak.chunk,
        "created": 1_700_000_000,
        "model": MODEL,
        **line.put,
    }

    def chunk(piece: Mapping[str, Any], finish: str | None = None) -> bytes:
        choice = {"index": 0, **piece, "finish_reason": finish}
        return b"data: " + json.dumps({**head, "choices": [choice]}).encode() + b"\n\n"

    if speak.is_chat:
        yield chunk(speak.piece("", role="assistant"))
    for n, word in enumerate(line.say.split()):
        yield chunk(speak.piece(f" {word}" if n else word, rc_word=n))
    yield chunk({"delta": {}} if speak.is_chat else {"text": ""}, "stop")
    if usage:
        count = len(line.say.split())
        told = {"prompt_tokens": 7, "completion_tokens": count, "total_tokens": 7 + count}
        yield b"data: " + json.dumps({**head, "choices": [], "usage": told}).encode() + b"\n\n"
    yield b"data: [DONE]\n\n"
