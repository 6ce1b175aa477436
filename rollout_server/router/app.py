"""The application: settings in, a Starlette app out. Every ASGI server can serve `rollout_server.router.app:create_app`."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from rollout_conformance.rollout_server.common import logs, shutdown
from rollout_conformance.rollout_server.common.request_parsing import Refusal
from rollout_conformance.rollout_server.router import admin, app_state, endpoints, errors, health, response_headers
from rollout_conformance.rollout_server.router.app_state import Kit
from rollout_conformance.rollout_server.router.errors import RouterError
from rollout_conformance.rollout_server.router.responses import refused
from rollout_conformance.rollout_server.router.settings import Settings, load

FIRST_LOOK_S = 2.0  # what the backends get to introduce themselves before requests are taken

ROUTES = [
    Route("/v1/chat/completions", endpoints.ChatCompletions),  # first, as it is asked for all the time
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


def create_app(*, settings: Settings | None = None) -> Starlette:
    """The router. Settings default to the environment."""
    settings = settings or load()
    logs.quiet_libraries()
    made = app_state.create(settings)
    add_gauges(made)
    app = Starlette(
        routes=ROUTES,
        lifespan=lambda _: lifespan(made),
        exception_handlers={RouterError: on_router_error, Refusal: on_refusal, HTTPException: on_http_exception},
    )
    app.state.kit = made
    app.add_middleware(response_headers.Framed, kit=made, paths=frozenset(route.path for route in ROUTES))
    return app


def add_gauges(made: Kit) -> None:
    made.metrics.gauge("router_running", "Routed requests that run now", lambda: made.running)
    made.metrics.gauge("router_backends_usable", "Backends that take requests", lambda: len(made.fleet.usable()))
    made.metrics.gauge("router_records_waiting", "Records not yet stored", lambda: made.ledger.book.waiting)
    made.metrics.backends({backend.name: backend for backend in made.fleet.backends})


@contextlib.asynccontextmanager
async def lifespan(made: Kit) -> AsyncIterator[None]:
    watching = asyncio.create_task(watch(made))
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(made.introduced.wait(), FIRST_LOOK_S)
    try:
        with shutdown.on_signal(made.stop):
            yield
    finally:
        made.stop()
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
        if lost := await made.ledger.close():
            made.log.error("records_lost", count=lost, reason="the state store is away")
        await made.upstream.close()


async def watch(made: Kit) -> None:
    interval = made.settings.health_interval_s
    if interval:
        await health.watch(made.fleet, made.upstream, interval, made.introduced)
    else:
        await health.learn(made.fleet, made.upstream)
        made.introduced.set()


async def on_router_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, RouterError)
    return refused(error, request.state.request_id)


async def on_refusal(request: Request, error: Exception) -> Response:
    """The shared reading of bodies refuses in words of its own."""
    assert isinstance(error, Refusal)
    return refused(errors.of_status(error.status, str(error.detail), error.headers), request.state.request_id)


async def on_http_exception(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return refused(errors.of_status(error.status_code, error.detail, error.headers), request.state.request_id)
