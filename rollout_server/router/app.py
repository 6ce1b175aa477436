"""The application: settings in, a Starlette app out. Any ASGI server can serve `rollout_server.router.app:create_app`."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from rollout_conformance.rollout_server.common import logs, shutdown
from rollout_conformance.rollout_server.common.errors import ApiError, handler, handlers
from rollout_conformance.rollout_server.common.workers.group import Group
from rollout_conformance.rollout_server.router import admin, endpoints, errors, health
from rollout_conformance.rollout_server.router.app_state import AppState, create_state
from rollout_conformance.rollout_server.router.response_headers import CommonHeaders
from rollout_conformance.rollout_server.router.responses import error_response
from rollout_conformance.rollout_server.router.settings import Settings, load

FIRST_PROBE_S = 2.0  # how long the first probes of the backends may delay the first request

ROUTES = [
    Route("/v1/chat/completions", endpoints.ChatCompletions),  # first, as most requests go there
    Route("/v1/completions", endpoints.Completions),
    Route("/health", endpoints.Health),
    Route("/v1/status/healthz", endpoints.Health),
    Route("/v1/status/readyz", endpoints.Ready),
    Route("/metrics", endpoints.Metrics),
    Route("/v1/models", endpoints.Models),
    Route("/v1/audit/requests/{request_id}", endpoints.Audit),
    Route("/v1/admin/routing/backends", admin.Backends),
    Route("/v1/admin/routing/backends/{name}/degrade", admin.Degrade),
    Route("/v1/admin/routing/backends/{name}/healthy", admin.Heal),
    Route("/v1/admin/routing/decisions", admin.Decisions),
    Route("/v1/admin/keys", admin.Keys),
    Route("/v1/admin/keys/{key_id}", admin.Key),
    Route("/v1/admin/planner", admin.Planner),
]


def create_app(*, settings: Settings | None = None, group: Group | None = None) -> Starlette:
    """The router. Settings default to the environment; `group` are the processes that it is one of."""
    settings = settings or load()
    logs.quiet_libraries()
    app_state = shared_state(settings, group) if group is not None else create_state(settings)
    add_gauges(app_state)
    app = Starlette(
        routes=ROUTES,
        lifespan=lambda _: lifespan(app_state),
        exception_handlers=handlers(on_rejected) | handler(ApiError, on_api_error),
    )
    app.state.app_state = app_state
    app.add_middleware(CommonHeaders, app_state=app_state, paths=frozenset(route.path for route in ROUTES))
    return app


def shared_state(settings: Settings, group: Group) -> AppState:
    from rollout_conformance.rollout_server.router import shared  # not on systems without processes that fork

    return shared.create_state(settings, group)


def add_gauges(app_state: AppState) -> None:
    metrics = app_state.metrics
    metrics.gauge("router_running", "Routed requests that run now", lambda: app_state.running)
    metrics.gauge("router_backends_usable", "Backends that take requests", lambda: len(app_state.pool.usable()))
    metrics.gauge("router_records_waiting", "Records not yet stored", lambda: app_state.key_store.buffer.waiting)
    metrics.backends({backend.name: backend for backend in app_state.pool.backends})


@contextlib.asynccontextmanager
async def lifespan(app_state: AppState) -> AsyncIterator[None]:
    probing = asyncio.create_task(probe_backends(app_state))
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(app_state.probed_once.wait(), FIRST_PROBE_S)
    try:
        with shutdown.on_signal(app_state.stop):
            yield
    finally:
        app_state.stop()
        probing.cancel()
        await asyncio.gather(probing, return_exceptions=True)
        if lost := await app_state.key_store.close():
            app_state.log.error("records_lost", count=lost, reason="the state store is unavailable")
        await app_state.client.close()
        app_state.close()


async def probe_backends(app_state: AppState) -> None:
    interval = app_state.settings.health_interval_s
    if interval:
        await health.watch(app_state.pool, app_state.client, interval, app_state.probed_once)
    else:
        await health.discover_models(app_state.pool, app_state.client)
        app_state.probed_once.set()


def on_api_error(request: Request, error: ApiError) -> Response:
    return error_response(error, request.state.request_id)


def on_rejected(request: Request, status: int, detail: Any, headers: Mapping[str, str]) -> Response:
    return error_response(errors.from_status(status, str(detail), headers), request.state.request_id)
