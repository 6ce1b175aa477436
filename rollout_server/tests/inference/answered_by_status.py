"""Requests that an engine answers by a status of its own, whatever they ask for."""

import json
from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

TEN = 10


class Sometimes:
    """Some of the requests are answered by a status instead."""

    def __init__(self, inner: ASGIApp, status: int, meets: Callable[[int, dict[str, Any]], bool]) -> None:
        self.inner, self.status, self.meets, self.count = inner, status, meets, 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "POST":
            await self.inner(scope, receive, send)
            return
        request = Request(scope, receive)
        raw = await request.body()
        self.count += 1
        if self.meets(self.count, _object(raw)):
            error = {"error": {"message": f"answered {self.status} on purpose", "type": "error"}}
            await JSONResponse(error, self.status)(scope, receive, send)
            return

        async def again() -> Any:
            nonlocal raw
            body, raw = raw, None  # type: ignore[assignment]
            return await receive() if body is None else {"type": "http.request", "body": body, "more_body": False}

        await self.inner(scope, again, send)


def _object(raw: bytes) -> dict[str, Any]:
    try:
        value = json.loads(raw)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _after_looking(count: int, body: dict[str, Any]) -> bool:
    """Every tenth request, those not counted by which a target is looked at before it is judged."""
    return count > TEN and count % TEN == 0


def _tools_in_streams(count: int, body: dict[str, Any]) -> bool:
    return bool(body.get("stream") and body.get("tools") and body.get("logprobs"))


def _content_parts(count: int, body: dict[str, Any]) -> bool:
    messages = body.get("messages")
    return isinstance(messages, list) and any(
        isinstance(m, dict) and isinstance(m.get("content"), list) for m in messages
    )


def _no_model(count: int, body: dict[str, Any]) -> bool:
    """What is checked before the key."""
    return "messages" in body and "model" not in body


def _no_choice(count: int, body: dict[str, Any]) -> bool:
    return body.get("tool_choice") == "none"


def _streamed(count: int, body: dict[str, Any]) -> bool:
    return bool(body.get("stream"))


def _cut_call(count: int, body: dict[str, Any]) -> bool:
    """What another server behind this one has no answer to."""
    messages = body.get("messages")
    told = [one.get("tool_calls") for one in messages if isinstance(one, dict)] if isinstance(messages, list) else []
    calls = [call for one in told if isinstance(one, list) for call in one if isinstance(call, dict)]
    return any(not _object(str(call.get("function", {}).get("arguments")).encode()) for call in calls)


ANSWERS: dict[str, tuple[int, Callable[[int, dict[str, Any]], bool]]] = {
    "rate_limited": (429, _after_looking),
    "unavailable": (503, _after_looking),
    "crashes": (500, _after_looking),
    "refuses_tools_in_streams": (400, _tools_in_streams),
    "rejects_no_choice": (422, _no_choice),
    "no_streams": (400, _streamed),
    "wants_model": (400, _no_model),
    "gateway": (502, _cut_call),
    "rejects_content_parts": (400, _content_parts),
}
