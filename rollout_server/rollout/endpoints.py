"""One class for each path, so that a wrong method is answered with 405 and the allowed ones (RFC 9110, 15.5.6)."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar, cast

from starlette.endpoints import HTTPEndpoint
from starlette.requests import Request
from starlette.responses import Response

from rollout_conformance.contracts.rollout.wire_leased import LEASE_HEADER
from rollout_conformance.contracts.rollout.wire_routed import CancelRequest
from rollout_conformance.rollout_server.common.disconnect import CLIENT_CLOSED_REQUEST, disconnected, until_disconnect
from rollout_conformance.rollout_server.common.errors import RequestError
from rollout_conformance.rollout_server.common.responses import json_response
from rollout_conformance.rollout_server.rollout import (
    concurrency,
    leased_dialect,
    openapi_document,
    request_reader,
    results,
    routed_dialect,
    start_request,
)
from rollout_conformance.rollout_server.rollout.idempotency import ConflictError
from rollout_conformance.rollout_server.rollout.service import Service, ShuttingDownError

RETRY = {"Retry-After": str(concurrency.RETRY_AFTER_S)}
T = TypeVar("T")


def service_of(request: Request) -> Service:
    return cast(Service, request.app.state.service)


class Health(HTTPEndpoint):
    async def get(self, request: Request) -> Response:
        return json_response(health(service_of(request)))


class PlatformHealth(HTTPEndpoint):
    async def get(self, request: Request) -> Response:
        service = service_of(request)
        if service.app_state.settings.server_key is None:
            raise RequestError(404, "Not found")
        request_reader.authorize(request, service.app_state.settings)
        return json_response(health(service))


class Tools(HTTPEndpoint):
    async def get(self, request: Request) -> Response:
        return json_response({"tools": service_of(request).app_state.toolbox.describe()})


class Rollout(HTTPEndpoint):
    """Three dialects share this path; the members of the body decide which one it is."""

    async def post(self, request: Request) -> Response:
        service = service_of(request)
        start = await request_reader.read_start(
            request, service.app_state.settings, partial(from_any, new_id=service.new_id)
        )
        if start.dialect == "leased":
            return json_response(or_rejection(lambda: service.accept_leased(start)), 202)
        if start.routes is not None:
            return json_response(or_rejection(lambda: service.accept(start)), 202)
        run = or_rejection(lambda: service.run_sync(start))
        if await client_left(request, run):
            return Response(status_code=CLIENT_CLOSED_REQUEST)
        return json_response(results.body(run.result()))


def from_any(body: Any, new_id: Callable[[], str]) -> start_request.StartRequest:
    """`new_id` makes the id of a routed rollout that was started without one."""
    if leased_dialect.is_leased(body):
        return leased_dialect.from_leased(body)
    if not routed_dialect.is_routed(body):
        return start_request.from_sync(body)
    start = routed_dialect.from_routed(body)
    return start if body.get("rollout_id") else replace(start, rollout_id=new_id())


class RolloutStatus(HTTPEndpoint):
    async def get(self, request: Request) -> Response:
        service = service_of(request)
        request_reader.authorize(request, service.app_state.settings)
        rollout_id = request.path_params["rollout_id"]
        status = service.statuses.get(rollout_id)
        body = {"rollout_id": rollout_id, "status": status or "unknown"}
        return json_response(body, 200 if status else 404)


class RolloutResult(HTTPEndpoint):
    """Answered when the status changes, or after a while."""

    async def get(self, request: Request) -> Response:
        service = service_of(request)
        request_reader.authorize(request, service.app_state.settings)
        token = request.headers.get(LEASE_HEADER)
        if not token:
            raise RequestError(422, f"The header {LEASE_HEADER} is required")
        rollout_id = request.path_params["rollout_id"]
        lease = service.leases.get(rollout_id)
        if lease is None:
            raise RequestError(404, "Unknown rollout")
        if not service.leases.accepts(lease, token):
            raise RequestError(403, "This lease is not valid for this rollout")
        body = await until_disconnect(request.receive, service.result(lease))
        if body is None:
            return Response(status_code=CLIENT_CLOSED_REQUEST)
        return json_response({"rollout_id": rollout_id, **body})


class RolloutCancel(HTTPEndpoint):
    async def post(self, request: Request) -> Response:
        service = service_of(request)
        settings = service.app_state.settings
        cancellation = await request_reader.read(request, settings, CancelRequest.model_validate)
        return json_response({"dispositions": service.cancel(cancellation)})


class CallbackInit(HTTPEndpoint):
    async def post(self, request: Request) -> Response:
        service = service_of(request)
        settings = service.app_state.settings
        start = await request_reader.read_start(request, settings, start_request.from_callback)
        return json_response(or_rejection(lambda: service.accept(start)), 202)


class Metrics(HTTPEndpoint):
    async def get(self, request: Request) -> Response:
        return Response(service_of(request).app_state.metrics.text(), media_type="text/plain; version=0.0.4")


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
        "completed_rollouts": service.app_state.metrics.count,
    }


def or_rejection(start: Callable[[], T]) -> T:
    """What `start` returns. Raises `RequestError` 429, 503 or 409 where the service does not accept a rollout."""
    try:
        return start()
    except concurrency.CapacityError as error:
        raise RequestError(429, "Too many rollouts; try again later", RETRY) from error
    except ShuttingDownError as error:
        raise RequestError(503, "The server is shutting down", RETRY) from error
    except ConflictError as error:
        raise RequestError(409, str(error)) from error


async def client_left(request: Request, run: "asyncio.Task[Any]") -> bool:
    """Wait for the run. When the client disconnects first the run is cancelled: its result would not be trained on."""
    leaving = asyncio.ensure_future(disconnected(request.receive))
    try:
        await asyncio.wait({run, leaving}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        leaving.cancel()
        if not run.done():
            run.cancel()
    return not run.done() or run.cancelled()
