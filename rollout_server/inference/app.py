"""The application: settings in, a Starlette app out. Any ASGI server can serve `rollout_server.inference.app:create_app`."""

import contextlib
from collections.abc import AsyncIterator, Mapping
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from rollout_conformance.rollout_server.common.errors import ApiError, handler, handlers
from rollout_conformance.rollout_server.common.responses import json_response
from rollout_conformance.rollout_server.inference import endpoints, errors, service
from rollout_conformance.rollout_server.inference.service import InferenceServer
from rollout_conformance.rollout_server.inference.settings import Settings, load

ROUTES = [
    Route("/health", endpoints.Health),
    Route("/version", endpoints.Version),
    Route("/metrics", endpoints.Metrics),
    Route("/tokenize", endpoints.Tokenize),
    Route("/v1/models", endpoints.Models),
    Route("/v1/chat/completions", endpoints.ChatCompletions),
]


def create_app(*, settings: Settings | None = None) -> Starlette:
    """The inference server. Settings default to the environment."""
    server = service.create(settings or load())
    app = Starlette(
        routes=ROUTES,
        lifespan=lambda _: lifespan(server),
        exception_handlers=handlers(on_rejected) | handler(ApiError, on_api_error) | handler(Exception, on_exception),
    )
    app.state.server = server
    return app


@contextlib.asynccontextmanager
async def lifespan(server: InferenceServer) -> AsyncIterator[None]:
    """A model generates while the server runs."""
    async with server.model.worker.running() if server.model else contextlib.nullcontext():
        yield


def error_response(error: ApiError) -> Response:
    return json_response(errors.envelope(error), error.status, error.headers)


def on_api_error(request: Request, error: ApiError) -> Response:
    return error_response(error)


def on_rejected(request: Request, status: int, detail: Any, headers: Mapping[str, str]) -> Response:
    return error_response(errors.from_status(status, str(detail), headers))


def on_exception(request: Request, error: Exception) -> Response:
    return error_response(errors.from_status(500, "Internal server error"))
