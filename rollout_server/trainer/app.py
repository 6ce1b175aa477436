"""The application: settings in, a Starlette app out. Every ASGI server can serve `rollout_server.trainer.app:create_app`."""

import contextlib
from collections.abc import AsyncIterator

import httpx
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from rollout_conformance.rollout_server.common import chat_tokenizer, logs
from rollout_conformance.rollout_server.common.chat_tokenizer import ChatTokens
from rollout_conformance.rollout_server.common.request_parsing import Refusal
from rollout_conformance.rollout_server.rollout import trainer_client
from rollout_conformance.rollout_server.trainer import backend, endpoints, errors, openai_backend
from rollout_conformance.rollout_server.trainer.backend import Backend
from rollout_conformance.rollout_server.trainer.endpoints import json_response, secret
from rollout_conformance.rollout_server.trainer.errors import RefusedError
from rollout_conformance.rollout_server.trainer.http_client import Client
from rollout_conformance.rollout_server.trainer.rollout_starter import Initiator
from rollout_conformance.rollout_server.trainer.service import Kit, Service
from rollout_conformance.rollout_server.trainer.settings import Settings, load

ROUTES = [
    Route("/health", endpoints.Health),
    Route("/rollouts", endpoints.Rollouts),
    Route("/rollouts/{rollout_id:path}", endpoints.Rollout),
    Route("/v1/chat/completions", endpoints.ChatCompletions),
    Route("/v1/rollout/completed", endpoints.Completed),
]
# What the shared reading of bodies and the router refuse, in the words of this API.
CODES = {400: "invalid_json", 404: "no_such_path", 405: "method_not_allowed", 413: "body_too_large"}


def create_app(*, settings: Settings | None = None, transport: httpx.AsyncBaseTransport | None = None) -> Starlette:
    """The trainer. Settings default to the environment; `transport` carries what is sent to rollout servers and the backend."""
    settings = settings or load()
    logs.quiet_libraries()
    carrier = transport or trainer_client.transport()
    service = Service(create_kit(settings, carrier))
    app = Starlette(
        routes=ROUTES,
        lifespan=lambda _: lifespan(service, carrier if transport is None else None),
        exception_handlers={
            RefusedError: on_refused,
            Refusal: on_refusal,
            HTTPException: on_http_exception,
            Exception: on_exception,
        },
    )
    app.state.service = service
    return app


def create_kit(settings: Settings, transport: httpx.AsyncBaseTransport) -> Kit:
    chat_tokens = chat_tokenizer.load(settings.tokenizer)
    client = Client(transport, settings.reply_limit)
    return Kit(
        settings=settings,
        tokens=chat_tokens,
        backend=create_backend(settings, client, chat_tokens),
        initiator=Initiator(client, secret(settings.server_key), settings.tools_timeout_s),
        log=logs.create(settings.log_level),
    )


def create_backend(settings: Settings, client: Client, chat_tokens: ChatTokens) -> Backend:
    """The built-in policy, unless there is the address of another one."""
    if settings.backend_url is None:
        return backend.BuiltIn(chat_tokens)
    return openai_backend.OpenAi(
        client,
        chat_tokens,
        settings.backend_url,
        secret(settings.backend_key),
        settings.model,
        settings.backend_timeout_s,
    )


@contextlib.asynccontextmanager
async def lifespan(service: Service, own_transport: httpx.AsyncBaseTransport | None) -> AsyncIterator[None]:
    try:
        yield
    finally:
        await service.stop()
        if own_transport is not None:
            await own_transport.aclose()


async def on_refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, RefusedError)
    body = errors.envelope(error.status, error.code, error.message, error.param)
    return json_response(body, error.status, error.headers)


async def on_refusal(request: Request, error: Exception) -> Response:
    assert isinstance(error, Refusal)
    body = errors.envelope(error.status, CODES.get(error.status, "refused"), str(error.detail))
    return json_response(body, error.status, error.headers)


async def on_http_exception(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    body = errors.envelope(error.status_code, CODES.get(error.status_code, "refused"), error.detail)
    return json_response(body, error.status_code, error.headers)


async def on_exception(request: Request, error: Exception) -> Response:
    endpoints.service_of(request).kit.log.error("unexpected", path=request.url.path, error=logs.place(error))
    return json_response(errors.envelope(500, "internal_error", "Internal server error"), 500)
