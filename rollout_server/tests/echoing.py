"""The reference behind a door that refuses large metadata as FastAPI does: with a 422 that gives the whole input back."""

import json
from typing import Any

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from rollout_conformance.rollout_server.rollout.app import create_app as reference

STARTS = ("/rollout", "/v1/rollout/init")
MOST = 2**20


class Echoing:
    """Refuses a start whose metadata has more bytes than the limit; passes on everything else."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "POST" or scope["path"] not in STARTS:
            await self.app(scope, receive, send)
            return
        body = await _body(receive)
        metadata = _metadata(body)
        if len(json.dumps(metadata, separators=(",", ":"))) > MOST:
            error = {"type": "too_long", "loc": ["body", "metadata"], "msg": "Metadata is too long", "input": metadata}
            await JSONResponse({"detail": [error]}, 422)(scope, receive, send)
            return
        await self.app(scope, _again(body, receive), send)


async def _body(receive: Receive) -> bytes:
    parts, more = [], True
    while more:
        message = await receive()
        parts.append(message.get("body", b""))
        more = message.get("more_body", False)
    return b"".join(parts)


def _metadata(body: bytes) -> Any:
    try:
        start = json.loads(body)
    except ValueError:
        return None
    return start.get("metadata") if isinstance(start, dict) else None


def _again(body: bytes, receive: Receive) -> Receive:
    first: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replayed() -> Message:
        return first.pop() if first else await receive()

    return replayed


def create_app() -> ASGIApp:
    return Echoing(reference())
