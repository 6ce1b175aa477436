"""The HTTP face of the server: one class for each path, so that a wrong method is answered with every right one."""

import asyncio
from typing import Any, cast

from starlette.endpoints import HTTPEndpoint
from starlette.requests import Request
from starlette.responses import Response

from rollout_conformance.contracts.rollout.wire_routed import CancelRequest
from rollout_conformance.rollout_server.common import json_text, request_parsing
from rollout_conformance.rollout_server.common.request_parsing import Refusal
from rollout_conformance.rollout_server.rollout import (
    concurrency,
    openapi_document,
    results,
    routed_dialect,
    start_request,
)
from rollout_conformance.rollout_server.rollout.idempotency import ConflictError
from rollout_conformance.rollout_server.rollout.service import Service, StoppingError

RETRY = {"Retry-After": str(concurrency.RETRY_AFTER_S)}


def json_response(value: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response(json_text.dumps(value), status, headers, "application/json")


def service_of(request: Request) -> Service:
    return cast(Service, request.app.state.service)


class Health(HTTPEndpoint):
    async def get(self, request: Request) -> Response:
        return json_response(health(service_of(request)))


class PlatformHealth(HTTPEndpoint):
    async def get(self, request: Request) -> Response:
        service = service_of(request)
        if service.kit.settings.server_key is None:
            raise Refusal(404, "Not found")
        request_parsing.authorize(request, service.kit.settings)
        return json_response(health(service))


class Tools(HTTPEndpoint):
    async def get(self, request: Request) -> Response:
        return json_response({"tools": service_of(request).kit.toolbox.describe()})


class Rollout(HTTPEndpoint):
    """Two dialects share this path; the body says which one it is."""

    async def post(self, request: Request) -> Response:
        service = service_of(request)
        asked = await request_parsing.read_start(request, service.kit.settings, from_either)
        if asked.routes is not None:
            return json_response(launch(lambda: service.accept(asked)), 202)
        run = launch(lambda: service.run_sync(asked))
        if await hung_up(request, run):
            return Response(status_code=499)  # nobody reads it; the number is for the log
        return json_response(results.body(run.result()))


def from_either(body: Any) -> start_request.Start:
    return routed_dialect.from_routed(body) if routed_dialect.is_routed(body) else start_request.from_sync(body)


class RolloutStatus(HTTPEndpoint):
    async def get(self, request: Request) -> Response:
        service = service_of(request)
        request_parsing.authorize(request, service.kit.settings)
        rollout_id = request.path_params["rollout_id"]
        standing = service.board.of(rollout_id)
        known = {"rollout_id": rollout_id, "status": standing or "unknown"}
        return json_response(known, 200 if standing else 404)


class RolloutCancel(HTTPEndpoint):
    async def post(self, request: Request) -> Response:
        service = service_of(request)
        asked = await request_parsing.read(request, service.kit.settings, CancelRequest.model_validate)
        return json_response({"results": service.cancel(asked)})


class CallbackInit(HTTPEndpoint):
    async def post(self, request: Request) -> Response:
        service = service_of(request)
        asked = await request_parsing.read_start(request, service.kit.settings, start_request.from_callback)
        return json_response(launch(lambda: service.accept(asked)), 202)


class Metrics(HTTPEndpoint):
    async def get(self, request: Request) -> Response:
        return Response(service_of(request).kit.metrics.text(), media_type="text/plain; version=0.0.4")


class Docs(HTTPEndpoint):
    async def get(self, request: Request) -> Response:
        return Response(openapi_document.page(), media_type="text/html")


class OpenApi(HTTPEndpoint):
    async def get(self, request: Request) -> Response:
        return json_response(openapi_document.document())


def health(service: Service) -> dict[str, Any]:
    return {
        "status": "healthy",
        "service": "rollout-server",
        "agent_loop": service.agent.NAME,
        "active_rollouts": service.active,
        "completed_rollouts": service.kit.metrics.count,
    }


def launch(begin: Any) -> Any:
    """Start something, or say in HTTP why not."""
    try:
        return begin()
    except concurrency.FullError as error:
        raise Refusal(429, "Too many rollouts; try again later", RETRY) from error
    except StoppingError as error:
        raise Refusal(503, "The server is shutting down", RETRY) from error
    except ConflictError as error:
        raise Refusal(409, str(error)) from error


async def hung_up(request: Request, run: "asyncio.Task[Any]") -> bool:
    """Wait for the run; when the caller goes away first, stop it, because nobody will train on it."""
    gone = asyncio.ensure_future(disconnected(request))
    try:
        await asyncio.wait({run, gone}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        gone.cancel()
        if not run.done():
            run.cancel()
    return not run.done() or run.cancelled()


async def disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
