"""The application: settings in, a Starlette app out. Every ASGI server can serve `rollout_server.inference.app:create_app`."""

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from rollout_conformance.rollout_server.common.request_parsing import Refusal
from rollout_conformance.rollout_server.inference import endpoints, errors, service
from rollout_conformance.rollout_server.inference.errors import EngineError
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
    """The engine. Settings default to the environment."""
    app = Starlette(
        routes=ROUTES,
        exception_handlers={
            EngineError: on_engine_error,
            Refusal: on_refusal,
            HTTPException: on_http_exception,
            Exception: on_exception,
        },
    )
    app.state.engine = service.create(settings or load())
    return app


def refused(error: EngineError) -> Response:
    return endpoints.json_response(errors.envelope(error.status, error.kind, error.message, error.param), error.status)


async def on_engine_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, EngineError)
    return refused(error)


async def on_refusal(request: Request, error: Exception) -> Response:
    """The shared reading of bodies refuses in words of its own."""
    assert isinstance(error, Refusal)
    return refused(errors.of_status(error.status, str(error.detail)))


async def on_http_exception(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    answer = refused(errors.of_status(error.status_code, error.detail))
    answer.headers.update(error.headers or {})
    return answer


async def on_exception(request: Request, error: Exception) -> Response:
    return refused(errors.of_status(500, "Internal server error"))
