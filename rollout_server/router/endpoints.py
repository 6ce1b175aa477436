"""The HTTP face of the router: one class for each path, so that a wrong method is answered with every right one."""

import datetime
from typing import Any

from prometheus_client import CONTENT_TYPE_LATEST
from starlette.endpoints import HTTPEndpoint
from starlette.requests import Request
from starlette.responses import Response

from rollout_conformance.rollout_server.router import (
    health,
    idempotency_cache,
    request_auth,
    request_validation,
    service,
)
from rollout_conformance.rollout_server.router.app_state import Kit
from rollout_conformance.rollout_server.router.request_auth import authenticate, kit_of
from rollout_conformance.rollout_server.router.responses import json_response, unless_gone


class ChatCompletions(HTTPEndpoint):
    async def post(self, request: Request) -> Response:
        return await infer(request, request_validation.CHAT)


class Completions(HTTPEndpoint):
    async def post(self, request: Request) -> Response:
        return await infer(request, request_validation.COMPLETIONS)


async def infer(request: Request, path: str) -> Response:
    asked = await request_auth.read_asked(request, path)
    given = request_auth.given_id(request.headers.get("x-request-id"))
    name = idempotency_cache.name_of(asked.key.id, path, request.headers.get("idempotency-key"), given, asked.raw)
    return await unless_gone(request, service.serve(kit_of(request), asked, name))


class Models(HTTPEndpoint):
    async def get(self, request: Request) -> Response:
        await authenticate(request, None)
        kit = kit_of(request)
        async with kit.learning:
            await health.learn(kit.fleet, kit.upstream)
        return json_response({"object": "list", "data": kit.fleet.models()})


class Audit(HTTPEndpoint):
    async def get(self, request: Request) -> Response:
        key = await authenticate(request, None)
        found = await kit_of(request).ledger.request(key.org, request.path_params["request_id"])
        return json_response(record(found))


def record(row: dict[str, Any]) -> dict[str, Any]:
    """A request that still runs has no status yet."""
    tokens = {name: row[name] or 0 for name in ("prompt_tokens", "completion_tokens")}
    return {"object": "request", **row, **tokens, "total_tokens": sum(tokens.values())}


class Health(HTTPEndpoint):
    """That the process answers, and nothing about what is behind it."""

    async def get(self, request: Request) -> Response:
        return json_response({"status": "healthy", "timestamp": now()})


class Ready(HTTPEndpoint):
    async def get(self, request: Request) -> Response:
        kit = kit_of(request)
        components = {"backends": has_backend(kit), "state": await has_state(kit), "accepting": not kit.stopping}
        named = {name: "healthy" if well else "unhealthy" for name, well in components.items()}
        ready = all(components.values())
        body = {"status": "healthy" if ready else "unhealthy", "components": named, "timestamp": now()}
        return json_response(body, 200 if ready else 503)


def has_backend(kit: Kit) -> bool:
    """One that answered the last probe; where none is made, one that nobody complained of."""
    return any(backend.up or not kit.fleet.remembers for backend in kit.fleet.usable())


async def has_state(kit: Kit) -> bool:
    return await kit.ledger.is_there() or not kit.settings.state_required


def now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Metrics(HTTPEndpoint):
    async def get(self, request: Request) -> Response:
        return Response(kit_of(request).metrics.text(), media_type=CONTENT_TYPE_LATEST)
