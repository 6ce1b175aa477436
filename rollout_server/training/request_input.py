"""From an HTTP request to its caller and a valid body. The key is checked before the body is read."""

import asyncio
from typing import Any, TypeVar, cast

from pydantic import BaseModel, ValidationError
from starlette.requests import Request

from rollout_conformance.rollout_server.common import errors as common
from rollout_conformance.rollout_server.common import request_parsing
from rollout_conformance.rollout_server.common.auth import bearer_token, header_values
from rollout_conformance.rollout_server.training import content_encoding
from rollout_conformance.rollout_server.training.app_state import AppState
from rollout_conformance.rollout_server.training.errors import UserError
from rollout_conformance.rollout_server.training.key_store import Caller

M = TypeVar("M", bound=BaseModel)


def state_of(request: Request) -> AppState:
    return cast(AppState, request.app.state.app_state)


def api_key_caller(request: Request) -> Caller:
    """By `X-API-Key`. A repeated header is not accepted. Raises `UserError` 401."""
    found = header_values(request, b"x-api-key")
    return state_of(request).keys.caller(found[0] if len(found) == 1 else None)


def bearer_caller(request: Request) -> Caller:
    """By `Authorization: Bearer`. Raises `UserError` 401."""
    found = header_values(request, b"authorization")
    token = bearer_token(found[0]) if len(found) == 1 else None
    return state_of(request).keys.caller(token if token and b" " not in token else None)


async def read_bytes(request: Request) -> bytes:
    """The body, unpacked. Raises `UserError` 400, 408, 413, 415; `RequestError` 400, 413."""
    settings = state_of(request).settings
    try:
        async with asyncio.timeout(settings.body_timeout_s):
            raw = await request_parsing.read_body(request, settings.body_limit)
    except TimeoutError:
        raise UserError(408, "The body did not arrive in time", {"Connection": "close"}) from None
    return content_encoding.unpack(request.headers.get("content-encoding", ""), raw, settings.body_limit)


async def read_json(request: Request) -> dict[str, Any]:
    """Raises `UserError` 422 and those of `read_bytes`."""
    return json_object(await read_bytes(request))


def json_object(body: bytes) -> dict[str, Any]:
    """Raises `UserError` 422, `RequestError` 400."""
    value = request_parsing.parse(body)
    if not isinstance(value, dict):
        raise UserError(422, "The body must be a JSON object")
    return value


def validate(body: dict[str, Any], model: type[M]) -> M:
    """Raises `UserError` 422 that names the first wrong member, without its value."""
    try:
        return model.model_validate(body)
    except ValidationError as error:
        raise UserError(422, problem(error)) from error


def problem(error: ValidationError) -> str:
    first = common.problems(error)[0]
    where = common.path(first["loc"][1:])
    if first["type"] == "extra_forbidden":
        return f"{where[:128]}: this member is not known, and nothing is ignored"
    return f"{where[:128]}: {first['msg']}" if where else str(first["msg"])
