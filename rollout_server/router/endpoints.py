"""One class for each path, so that a wrong method is answered with 405 and the allowed ones (RFC 9110, 15.5.6)."""

import datetime
from typing import Any

from prometheus_client import CONTENT_TYPE_LATEST
from starlette.endpoints import HTTPEndpoint
from starlette.requests import Request
from starlette.responses import Response

from rollout_conformance.rollout_server.common.responses import json_response
from rollout_conformance.rollout_server.router import (
    health,
    idempotency_cache,
    request_auth,
    request_validation,
    service,
)
from rollout_conformance.rollout_server.router.app_state import AppState
from rollout_conformance.rollout_server.router.request_auth import authenticate, state_of
from rollout_conformance.rollout_server.router.responses import or_client_disconnected


class ChatCompletions(HTTPEndpoint):
    async def post(self, request: Request) -> Response:
        return await infer(request, request_validation.CHAT)


class Completions(HTTPEndpoint):
    async def post(self, request: Request) -> Response:
        return await infer(request, request_validation.COMPLETIONS)


async def infer(request: Request, path: str) -> Response:
    inference = await request_auth.read_inference(request, path)
    client_id = request_auth.client_request_id(request.headers.get("x-request-id"))
    key = idempotency_cache.cache_key(
        inference.key.id, path, request.headers.get("idempotency-key"), client_id, inference.raw
    )
    return await or_client_disconnected(request, service.serve(state_of(request), inference, key))


class Models(HTTPEndpoint):
    async def get(self, request: Request) -> Response:
        await authenticate(request, None)
        app_state = state_of(request)
        async with app_state.discovering:
            await health.discover_models(app_state.pool, app_state.client)
        return json_response({"object": "list", "data": app_state.pool.models()})


class Audit(HTTPEndpoint):
    async def get(self, request: Request) -> Response:
        key = await authenticate(request, None)
        found = await state_of(request).key_store.request(key.org, request.path_params["request_id"])
        return json_response(record(found))


def record(row: dict[str, Any]) -> dict[str, Any]:
    """A running request has no status yet."""
    tokens = {name: row[name] or 0 for name in ("prompt_tokens", "completion_tokens")}
    return {"object": "request", **row, **tokens, "total_tokens": sum(tokens.values())}


class Health(HTTPEndpoint):
    """Liveness of the process; backends and the state store do not matter."""

    async def get(self, request: Request) -> Response:
        return json_response({"status": "healthy", "timestamp": now()})


class Ready(HTTPEndpoint):
    async def get(self, request: Request) -> Response:
        app_state = state_of(request)
        components = {
            "backends": has_backend(app_state),
            "state": await has_state(app_state),
            "accepting": not app_state.stopping,
        }
        named = {name: "healthy" if well else "unhealthy" for name, well in components.items()}
        ready = all(components.values())
        body = {"status": "healthy" if ready else "unhealthy", "components": named, "timestamp": now()}
        return json_response(body, 200 if ready else 503)


def has_backend(app_state: AppState) -> bool:
    """One that answered the last probe; without probes, any that is not degraded."""
    return any(backend.up or not app_state.pool.probes for backend in app_state.pool.usable())


async def has_state(app_state: AppState) -> bool:
    return await app_state.key_store.is_available() or not app_state.settings.state_required


def now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Metrics(HTTPEndpoint):
    async def get(self, request: Request) -> Response:
        return Response(state_of(request).metrics.text(), media_type=CONTENT_TYPE_LATEST)
