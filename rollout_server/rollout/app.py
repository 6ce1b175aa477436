"""The application: settings in, a Starlette app out. Any ASGI server can serve `rollout_server.app:create_app`."""

import contextlib
import importlib
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from rollout_conformance.rollout_server.common import errors, http_client, logs, shutdown
from rollout_conformance.rollout_server.common.garbage_collection import collect_rarely
from rollout_conformance.rollout_server.common.responses import json_response
from rollout_conformance.rollout_server.common.settings import SHIPPED_TOKENIZER, SettingsError
from rollout_conformance.rollout_server.common.workers.group import Group
from rollout_conformance.rollout_server.common.workers.in_group import ASKED
from rollout_conformance.rollout_server.rollout import endpoints, tokenizer_cache, trainer_client
from rollout_conformance.rollout_server.rollout.app_state import AppState
from rollout_conformance.rollout_server.rollout.metrics import Metrics
from rollout_conformance.rollout_server.rollout.service import Service
from rollout_conformance.rollout_server.rollout.settings import Settings, load
from rollout_conformance.rollout_server.rollout.tools import Toolbox

ROUTES = [
    Route("/health", endpoints.Health),
    Route("/platform/health", endpoints.PlatformHealth),
    Route("/tools", endpoints.Tools),
    Route("/rollout", endpoints.Rollout),
    Route("/rollout/cancel", endpoints.RolloutCancel),
    Route("/rollout/{rollout_id}/status", endpoints.RolloutStatus),
    Route("/rollout/{rollout_id}/result", endpoints.RolloutResult),
    Route("/v1/rollout/init", endpoints.CallbackInit),
    Route("/metrics", endpoints.Metrics),
    Route("/docs", endpoints.Docs),
    Route("/openapi.json", endpoints.OpenApi),
]
PATHS = frozenset(route.path for route in ROUTES)
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


def create_app(
    *,
    settings: Settings | None = None,
    transport: httpx.AsyncBaseTransport | None = None,
    group: Group | None = None,
) -> Starlette:
    """The server. Settings default to the environment; `transport` carries what is sent to trainers; `group` are the processes
    that it is one of."""
    settings = settings or load()
    logs.quiet_libraries()
    carrier = transport or http_client.transport()
    service = Service(create_state(settings, carrier), load_agent(settings), group)
    add_gauges(service)
    app = Starlette(
        routes=ROUTES,
        lifespan=lambda _: lifespan(service, carrier if transport is None else None),
        exception_handlers=errors.handlers(on_rejected) | errors.handler(Exception, on_exception),
    )
    app.state.service = service
    app.add_middleware(CountResponses, metrics=service.app_state.metrics)
    return app


@contextlib.asynccontextmanager
async def lifespan(service: Service, own_transport: httpx.AsyncBaseTransport | None) -> AsyncIterator[None]:
    collect_rarely()
    try:
        with shutdown.on_signal(service.begin_to_stop):
            yield
    finally:
        await service.stop()
        service.slots.close()
        if own_transport is not None:
            await own_transport.aclose()


def create_state(settings: Settings, transport: httpx.AsyncBaseTransport) -> AppState:
    metrics = Metrics()
    return AppState(
        settings=settings,
        trainer=trainer_client.TrainerClient(transport, settings.max_reply_bytes),
        tokenizers=tokenizer_cache.TokenizerCache(demo_tokenizer(settings)),
        toolbox=load_tools(settings, metrics),
        metrics=metrics,
        log=logs.create(settings.log_level),
    )


def load_tools(settings: Settings, metrics: Metrics) -> Toolbox:
    try:
        tools = [tool for name in settings.tools for tool in importlib.import_module(name).TOOLS]
        return Toolbox(tools, settings.tool_timeout_s, metrics.tool)
    except (ImportError, AttributeError, ValueError) as error:
        raise SettingsError(f"ROLLOUT_TOOLS: {error}; a tool module is importable and has a tuple TOOLS") from error


def load_agent(settings: Settings) -> ModuleType:
    try:
        return importlib.import_module(settings.agent)
    except ImportError as error:
        raise SettingsError(f"ROLLOUT_AGENT: {error}; an agent module has a NAME and an async `run`") from error


def demo_tokenizer(settings: Settings) -> Path | None:
    if not settings.demo:
        return None
    path = Path(settings.demo_tokenizer) if settings.demo_tokenizer else SHIPPED_TOKENIZER
    if not (path / "tokenizer.json").is_file():
        raise SettingsError(f"ROLLOUT_DEMO_TOKENIZER: there is no tokenizer.json in {path}")
    return path


def add_gauges(service: Service) -> None:
    metrics = service.app_state.metrics
    metrics.gauge("rollouts_active", "Accepted and not ended", lambda: service.active)
    metrics.gauge("rollouts_running", "In a slot", lambda: service.slots.running)
    metrics.gauge("rollouts_reporting", "Accepted and not yet acknowledged", lambda: len(service.reports))
    metrics.gauge("rollout_records", "Remembered rollouts", lambda: len(service.idempotency))


def on_rejected(request: Request, status: int, detail: Any, headers: Mapping[str, str]) -> Response:
    """FastAPI's error body, which trainers of this protocol expect."""
    return json_response({"detail": detail}, status, headers)


def on_exception(request: Request, error: Exception) -> Response:
    log = endpoints.service_of(request).app_state.log
    log.error("unexpected", path=request.url.path, error=logs.location(error))
    return json_response({"detail": "Internal server error"}, 500)


class CountResponses:
    """Counts responses by path and status. Unknown paths share one label, or a scanner would fill the registry."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self.app = app
        self.metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope.get(ASKED):
            await self.app(scope, receive, send)
            return

        async def counting_send(message: Message) -> None:
            if message["type"] == "http.response.start":
                endpoint = scope["path"] if scope["path"] in PATHS else "other"
                method = scope["method"] if scope["method"] in METHODS else "other"
                self.metrics.http(method, endpoint, message["status"])
            await send(message)

        await self.app(scope, receive, counting_send)
