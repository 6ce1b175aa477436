"""The application: settings in, a Starlette app out. Any ASGI server can serve `rollout_server.trainer.app:create_app`."""

import contextlib
from collections.abc import AsyncIterator, Mapping
from typing import Any

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from rollout_conformance.rollout_server.common import chat_tokenizer, errors, http_client, logs
from rollout_conformance.rollout_server.common.chat_tokenizer import ChatTokenizer
from rollout_conformance.rollout_server.common.errors import ApiError
from rollout_conformance.rollout_server.common.responses import json_response
from rollout_conformance.rollout_server.trainer import backend, endpoints, naming, openai_backend
from rollout_conformance.rollout_server.trainer.app_state import AppState
from rollout_conformance.rollout_server.trainer.backend import Backend
from rollout_conformance.rollout_server.trainer.endpoints import secret_value
from rollout_conformance.rollout_server.trainer.http_client import Client
from rollout_conformance.rollout_server.trainer.own_rollouts import OwnRollouts
from rollout_conformance.rollout_server.trainer.rollout_starter import RolloutStarter
from rollout_conformance.rollout_server.trainer.service import Service
from rollout_conformance.rollout_server.trainer.settings import Settings, load

ROUTES = [
    Route("/health", endpoints.Health),
    Route("/rollouts", endpoints.Rollouts),
    Route("/rollouts/{rollout_id:path}", endpoints.Rollout),
]
CODES = errors.CODES | {404: "no_such_path"}


def routes(settings: Settings) -> list[Route]:
    """The paths of the trainer; those of rollout servers have a prefix where a path names the rollout."""
    front = naming.prefix(settings.rollout_id_in).replace("{rollout_id}", "{rollout_id:path}")
    generations = Route(f"{front}/v1/chat/completions", endpoints.ChatCompletions)
    return [*ROUTES, generations, Route(f"{front}/v1/rollout/completed", endpoints.Completed)]


def create_app(*, settings: Settings | None = None, transport: httpx.AsyncBaseTransport | None = None) -> Starlette:
    """The trainer. Settings default to the environment; `transport` carries what is sent to rollout servers and the backend."""
    settings = settings or load()
    logs.quiet_libraries()
    carrier = transport or http_client.transport()
    service = Service(create_state(settings, carrier))
    app = Starlette(
        routes=routes(settings),
        lifespan=lambda _: lifespan(service, carrier if transport is None else None),
        exception_handlers=errors.handlers(on_rejected)
        | errors.handler(ApiError, on_api_error)
        | errors.handler(Exception, on_exception),
    )
    app.state.service = service
    return app


def create_state(settings: Settings, transport: httpx.AsyncBaseTransport) -> AppState:
    tokenizer = chat_tokenizer.load(settings.tokenizer, "TRAINER_TOKENIZER")
    client = Client(transport, settings.reply_limit)
    return AppState(
        settings=settings,
        tokenizer=tokenizer,
        backend=create_backend(settings, client, tokenizer),
        starter=RolloutStarter(client, secret_value(settings.server_key), settings.tools_timeout_s),
        log=logs.create(settings.log_level),
    )


def create_backend(settings: Settings, client: Client, tokenizer: ChatTokenizer) -> Backend:
    """The built-in policy, unless the URL of another backend is configured."""
    if settings.backend_url is None:
        return backend.BuiltInBackend(tokenizer, settings.context_tokens)
    return openai_backend.OpenAiBackend(
        client,
        tokenizer,
        settings.backend_url,
        secret_value(settings.backend_key),
        settings.model,
        settings.backend_timeout_s,
    )


@contextlib.asynccontextmanager
async def lifespan(service: Service, own_transport: httpx.AsyncBaseTransport | None) -> AsyncIterator[None]:
    own = OwnRollouts(service) if service.app_state.settings.rollouts == "started" else None
    if own is not None:
        own.begin()
    try:
        yield
    finally:
        if own is not None:
            await own.stop()
        await service.stop()
        if own_transport is not None:
            await own_transport.aclose()


def on_api_error(request: Request, error: ApiError) -> Response:
    return json_response(errors.envelope(error), error.status, error.headers)


def on_rejected(request: Request, status: int, detail: Any, headers: Mapping[str, str]) -> Response:
    return on_api_error(request, errors.from_status(status, str(detail), headers, CODES))


def on_exception(request: Request, error: Exception) -> Response:
    log = endpoints.service_of(request).app_state.log
    log.error("unexpected", path=request.url.path, error=logs.location(error))
    return on_api_error(request, ApiError(500, "internal_error", "Internal server error"))
