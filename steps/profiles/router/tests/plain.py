"""A right router of another make than the reference, in front of two engines: httpx and Starlette, with what real routers do besides.

`PLAIN_ENGINES` are the addresses, `PLAIN` the ways in which it differs, one word each: freedoms that no verdict may depend on, and defects
that have to be found. It is started as `app:rollout_conformance.steps.profiles.router.tests.plain:create_app`.
"""

import asyncio
import contextlib
import json
import os
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

Body = dict[str, Any] | bytes  # bytes where it is no JSON
KEY = "key-of-a-client"
SILENCE_S = 3.0
LEARNS_S = 1.5  # until a router knows its engines
BREAKERS = {"rests_3_5": (3, 5.0), "rests_5_5": (5, 5.0), "rests_10_60": (10, 60.0), "rests_1_5": (1, 5.0)}


@dataclass(slots=True)
class Engine:
    url: str
    failures: int = 0
    rests_until: float = 0.0


@dataclass(slots=True)
class Plain:
    engines: list[Engine]
    ways: frozenset[str]
    client: httpx.AsyncClient = field(default_factory=lambda: httpx.AsyncClient(timeout=httpx.Timeout(SILENCE_S)))
    turn: int = 0
    running: int = 0
    began: float = field(default_factory=time.monotonic)

    def known(self, way: str) -> bool:
        return way in self.ways

    @property
    def places(self) -> int | None:
        return next((int(way.removeprefix("places_")) for way in self.ways if way.startswith("places_")), None)

    def order(self) -> list[Engine]:
        """Whom to ask, the first one first. Whoever rests is left out."""
        self.turn += 1
        turned = self.engines[self.turn % 2 :] + self.engines[: self.turn % 2]
        found = [engine for engine in turned if engine.rests_until <= time.monotonic()]
        if self.known("retries_same"):
            return [engine for engine in found for _ in range(2)]
        return found[:1] if self.known("no_failover") else found

    def failed(self, engine: Engine) -> None:
        engine.failures += 1
        for way in self.ways & BREAKERS.keys():
            most, rest_s = BREAKERS[way]
            if engine.failures >= most:
                engine.failures, engine.rests_until = 0, time.monotonic() + rest_s

    def fails(self, status: int) -> bool:
        again = {429} if self.known("retries_429") else {400, 404} if self.known("retries_4xx") else set()
        return status >= 500 or status in again

    def error(self, status: int, message: str) -> Response:
        body: Any = {"detail": message} if self.known("detail") else {"error": {"message": message, "type": "router"}}
        return JSONResponse(body, status)


def create_app() -> Starlette:
    engines = [Engine(url) for url in os.environ["PLAIN_ENGINES"].split(",")]
    plain = Plain(engines, frozenset(os.environ.get("PLAIN", "").split()))
    if plain.known("waits_long"):
        plain.client.timeout = httpx.Timeout(60.0)

    async def chat(request: Request) -> Response:
        return await _chat(plain, request)

    async def health(request: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def wrong(request: Request, error: Exception) -> Response:
        status, allowed = getattr(error, "status_code", 500), getattr(error, "headers", None)
        if plain.known("plain_405"):
            return PlainTextResponse("no", status, allowed)
        answer = plain.error(status, "no such path or method")
        answer.headers.update(allowed or {})
        return answer

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with plain.client:
            yield

    path = "/healthz/live" if plain.known("other_health") else "/health"
    routes = [Route("/v1/chat/completions", chat, methods=["POST"]), Route(path, health)]
    return Starlette(routes=routes, exception_handlers={404: wrong, 405: wrong}, lifespan=lifespan)


async def _chat(plain: Plain, request: Request) -> Response:
    if plain.known("wants_header") and request.headers.get("x-config") != "two engines":
        return plain.error(400, "no configuration")
    if plain.known("learns_late") and time.monotonic() < plain.began + LEARNS_S:
        return plain.error(404, "no engine for this model")
    known = request.headers.get("authorization") == f"Bearer {KEY}"
    if not known and not plain.known("body_before_key"):
        return plain.error(401, "no such key")
    raw = await request.body()
    try:
        body = json.loads(raw)
    except ValueError:
        return await _served(plain, raw, request) if plain.known("reads_no_body") else plain.error(400, "no JSON")
    messages = body.get("messages") if isinstance(body, dict) else None
    good = isinstance(messages, list) and messages and all(isinstance(one, dict) for one in messages)
    if not good or not isinstance(body.get("model", "m"), str) or body.get("model") == "":
        return plain.error(400, "no messages, or no model")
    if not known:
        return plain.error(401, "no such key")
    if plain.known("refuses_tools") and body.get("tools"):
        return plain.error(503, "no engine for this")
    if plain.places is not None and plain.running >= plain.places:
        return plain.error(429, "full")
    return await _served(plain, body, request)


async def _served(plain: Plain, body: Body, request: Request) -> Response:
    plain.running += 1
    try:
        answer = await _asked(plain, body, request)
    except BaseException:
        plain.running -= 1
        raise
    if not isinstance(answer, StreamingResponse):
        plain.running -= 1
    return answer


async def _asked(plain: Plain, body: Body, request: Request) -> Response:
    status, answer = 502, "every engine failed"
    found = plain.order()
    for attempt, engine in enumerate(found):
        payload = _payload(plain, body) if not (attempt and plain.known("empty_retry")) else b""
        sent = plain.client.build_request(
            "POST", f"{engine.url}/v1/chat/completions", content=payload, headers=_headers(plain, request)
        )
        try:
            reply = await plain.client.send(sent, stream=True)
            if plain.known("loses_status") and "json" in reply.headers.get("content-type", ""):
                return Response(await reply.aread(), media_type="application/json")
            if plain.fails(reply.status_code):
                last = attempt == len(found) - 1 and (reply.status_code < 500 or plain.known("as_it_is"))
                plain.failed(engine)
                if last:
                    return Response(await reply.aread(), reply.status_code, media_type="application/json")
                await reply.aclose()
                continue
            if plain.known("streams_through") and reply.status_code == 200:
                return StreamingResponse(_through(plain, engine, reply), headers=_framing(plain, reply))
            if "event-stream" in reply.headers.get("content-type", ""):
                return StreamingResponse(_events(plain, engine, reply), media_type="text/event-stream")
            content = await reply.aread()
        except httpx.TimeoutException:
            status, answer = 504, "an engine was silent"
            plain.failed(engine)
            continue
        except httpx.HTTPError:
            status, answer = 502, "an engine broke off"
            plain.failed(engine)
            continue
        engine.failures = 0
        return Response(_back(plain, content), reply.status_code, media_type="application/json")
    if not found:
        return plain.error(503, "no engine is left")
    return plain.error(500 if plain.known("fails_500") else status, answer)


def _payload(plain: Plain, body: Body) -> bytes:
    if isinstance(body, bytes):
        return body
    if plain.known("drops_null"):
        body = {name: value for name, value in body.items() if value is not None}
    if plain.known("drops_unknown"):
        body = {name: value for name, value in body.items() if not name.startswith("rc_")}
    return json.dumps(body, sort_keys=plain.known("recodes"), ensure_ascii=plain.known("recodes")).encode()


def _headers(plain: Plain, request: Request) -> dict[str, str]:
    own = {"content-type": "application/json", "accept-encoding": "identity"}
    if plain.known("own_key"):
        own["authorization"] = "Bearer key-of-the-router"
    if plain.known("forwarded_for"):
        own["x-forwarded-for"] = "127.0.0.1"
    if plain.known("leaks_key"):
        own["authorization"] = request.headers["authorization"]
    return own


def _back(plain: Plain, content: bytes) -> bytes:
    if plain.known("drops_null"):
        return json.dumps(_without_null(json.loads(content))).encode()
    return json.dumps(json.loads(content)).encode() if plain.known("recodes") else content


def _without_null(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_null(one) for name, one in value.items() if one is not None}
    return value


def _framing(plain: Plain, reply: httpx.Response) -> dict[str, str]:
    names = ("content-type",) if plain.known("ends_in_order") else ("content-type", "content-length")
    return {name: reply.headers[name] for name in names if name in reply.headers}


async def _through(plain: Plain, engine: Engine, reply: httpx.Response) -> AsyncIterator[bytes]:
    """A body as it arrives, as reverse proxies forward it: where it breaks off, so does the response."""
    try:
        async for piece in reply.aiter_raw():
            yield piece
    except httpx.HTTPError:
        plain.failed(engine)
        if not plain.known("ends_in_order"):
            raise
    finally:
        plain.running -= 1
        await reply.aclose()


async def _events(plain: Plain, engine: Engine, reply: httpx.Response) -> AsyncIterator[bytes]:
    seen = 0
    try:
        async for line in reply.aiter_lines():
            if not line:
                continue
            seen += 1
            if plain.known("loses_event") and seen == 4:
                continue
            value = line.removeprefix("data: ")
            yield f"data: {_event(plain, value)}\n\n".encode()
        engine.failures = 0
    except httpx.HTTPError:
        plain.failed(engine)
        if plain.known("stays_open"):  # as proxies that copy a body and do not watch its source
            await asyncio.Event().wait()
        told = {"error": {"message": "an engine broke off", "type": "router"}}
        yield b"data: [DONE]\n\n" if plain.known("done_invented") else f"data: {json.dumps(told)}\n\n".encode()
    finally:
        plain.running -= 1
        with contextlib.suppress(Exception, asyncio.CancelledError):
            await asyncio.shield(reply.aclose())


def _event(plain: Plain, value: str) -> str:
    if not plain.known("drops_null") or value == "[DONE]":
        return value
    event = json.loads(value)
    choices = [_without_null(one) for one in event.get("choices", [])]
    return json.dumps({**_without_null(event), "choices": choices})
