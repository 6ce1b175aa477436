"""From an HTTP request to a valid start or cancellation, or a `RequestError` (FastAPI's body: `{"detail": ...}`)."""

from collections.abc import Callable
from typing import Any, TypeVar

from starlette.requests import Request

from rollout_conformance.rollout_server.common import auth, json_text, request_parsing
from rollout_conformance.rollout_server.common.errors import RequestError
from rollout_conformance.rollout_server.rollout.settings import Settings
from rollout_conformance.rollout_server.rollout.start_request import StartRequest

T = TypeVar("T")


async def read_start(request: Request, settings: Settings, build: Callable[[Any], StartRequest]) -> StartRequest:
    start = await read(request, settings, build)
    check_metadata(start, settings.max_metadata_bytes)
    return start


async def read(request: Request, settings: Settings, build: Callable[[Any], T]) -> T:
    """Credentials are checked before the body is read: without a key no client learns what a valid body is."""
    authorize(request, settings)
    value = request_parsing.parse(await request_parsing.read_body(request, settings.max_body_bytes))
    return request_parsing.validate(value, build)


def authorize(request: Request, settings: Settings) -> None:
    key = settings.server_key.get_secret_value() if settings.server_key else None
    if not auth.is_allowed(request, key):
        raise RequestError(401, "Invalid or missing API key", {"WWW-Authenticate": "Bearer"})


def check_metadata(start: StartRequest, limit: int) -> None:
    if json_text.size(start.metadata) > limit:
        problem = {"loc": ["body", "metadata"], "msg": f"more than {limit} bytes of JSON", "type": "too_long"}
        raise RequestError(422, [problem])
