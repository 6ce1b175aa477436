"""Right servers whose last word is hostile: what they answer to anything but a probe is made of `HOSTILE_END`.

They are targets of the suite's own tests, as `app:rollout_server.tests.hostile_ends:rollout` and `...:chat`.
"""

import os
import re
from collections.abc import Callable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from rollout_conformance.rollout_server.inference import app as engine_app
from rollout_conformance.rollout_server.rollout import app as rollout_app
from rollout_conformance.rollout_server.rollout import delivery

MIB = 1 << 20
BLOCK = b" " * MIB
Bend = Callable[[bytes], bytes]
ENDS: dict[str, Bend] = {
    "not_utf8": lambda body: re.sub(rb'("(?:status|content)": ?)"', b'\\1"\xff', body),
    "broken": lambda body: body[: len(body) // 2],
    "deep": lambda body: body[:-1] + b', "deep": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "nan": lambda body: body[:-1] + b', "more": [NaN, Infinity, 1e999]}',
    "digits": lambda body: body[:-1] + b', "more": ' + b"9" * 1_000_000 + b"}",
    "half": lambda body: re.sub(rb'("(?:error_message|content|finish_reason)": ?)"', rb'\1"\\ud800', body),
    "empty": lambda body: b"",
}
HUGE = "huge"  # a body without an end that anybody waits for
PROBES = 12  # of a chat server, which are answered well


class Hostile:
    """The same application; answers of 200 to POSTs get the body that the name of the end stands for."""

    def __init__(self, app: ASGIApp, path: str, spared: int = 0) -> None:
        self.app, self.path, self.spared = app, path, spared
        self.end = os.environ["HOSTILE_END"]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or (scope["method"], scope["path"]) != ("POST", self.path):
            await self.app(scope, receive, send)
            return
        self.spared -= 1
        await self.app(scope, receive, send if self.spared >= 0 else self._bent(send))

    def _bent(self, send: Send) -> Send:
        head: Message = {}
        body = bytearray()

        async def bent(message: Message) -> None:
            nonlocal head
            if message["type"] == "http.response.start":
                head = message
                return
            body.extend(message.get("body", b""))
            if message.get("more_body"):
                return
            await _answered(send, head, bytes(body), self.end)

        return bent


async def _answered(send: Send, head: Message, body: bytes, end: str) -> None:
    if head["status"] == 200 and end == HUGE:
        await send({**head, "headers": [(k, v) for k, v in head["headers"] if k != b"content-length"]})
        for _ in range(1024):
            await send({"type": "http.response.body", "body": BLOCK, "more_body": True})
        await send({"type": "http.response.body", "body": b""})
        return
    body = ENDS[end](body) if head["status"] == 200 else body
    length = (b"content-length", str(len(body)).encode())
    await send({**head, "headers": [*((k, v) for k, v in head["headers"] if k != b"content-length"), length]})
    await send({"type": "http.response.body", "body": body})


def rollout() -> ASGIApp:
    """The rollout server. What it posts to a trainer ends as its replies do."""
    right = delivery.encode
    bend: Bend = ENDS.get(os.environ["HOSTILE_END"], lambda body: body + BLOCK * 80)
    delivery.encode = lambda report: bend(right(report))
    return Hostile(rollout_app.create_app(), "/rollout")


def chat() -> ASGIApp:
    """The engine behind the chat API."""
    return Hostile(engine_app.create_app(), "/v1/chat/completions", PROBES)
