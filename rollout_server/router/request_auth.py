"""From an HTTP request to a valid inference request. The key is checked before the body is read and a backend is used."""

import asyncio
import re
import time
import uuid
from typing import Any, cast

from starlette.requests import Request

from rollout_conformance.rollout_server.common import request_parsing
from rollout_conformance.rollout_server.router import api_keys, credentials, errors, request_validation, trace_context
from rollout_conformance.rollout_server.router.api_keys import Key
from rollout_conformance.rollout_server.router.app_state import AppState
from rollout_conformance.rollout_server.router.rate_limit import LimitState
from rollout_conformance.rollout_server.router.request_validation import InferenceRequest

REQUEST_ID = re.compile(r"[\x21-\x7e]{1,128}")


def state_of(request: Request) -> AppState:
    return cast(AppState, request.app.state.app_state)


def client_request_id(value: str | None) -> str | None:
    """The client's X-Request-Id, if it is valid in a header, a label and a path."""
    return value if value and REQUEST_ID.fullmatch(value) else None


def request_id(value: str | None) -> str:
    return client_request_id(value) or f"req-{uuid.uuid4().hex}"


async def authenticate(request: Request, scope: str | None) -> Key:
    """The key of the request. Raises `ApiError` 401, 403, or 503 without the state store."""
    app_state = state_of(request)
    secret = credentials.presented_key(request)
    key = await app_state.key_store.key(api_keys.digest(secret)) if secret else None
    if key is None or not api_keys.is_valid(key, time.time()):
        raise errors.unauthorized()
    set_limit_state(request, app_state.peek(key))
    if scope is not None:
        api_keys.check_scope(key, scope)
    return key


def set_limit_state(request: Request, taken: LimitState | None) -> None:
    """For the headers of the response, whatever its status."""
    request.state.taken = taken


def limit_headers(taken: LimitState | None) -> dict[str, str]:
    if taken is None:
        return {}
    return {"X-RateLimit-Limit": str(taken.limit), "X-RateLimit-Remaining": str(taken.remaining)}


def admit(request: Request, key: Key) -> None:
    taken = state_of(request).take(key)
    set_limit_state(request, taken)
    if taken is not None and not taken.allowed:
        raise errors.limited(taken.retry_after)


async def read_inference(request: Request, path: str) -> InferenceRequest:
    key = await authenticate(request, "inference")
    admit(request, key)
    raw = await read_body(request)
    check_signature(request, raw)
    return request_validation.validate(
        path, request_parsing.parse(raw), raw, request.state.request_id, key, trace_context.of(request.headers)
    )


async def read_body(request: Request) -> bytes:
    settings = state_of(request).settings
    try:
        async with asyncio.timeout(settings.body_timeout_s):
            return await request_parsing.read_body(request, settings.body_limit)
    except TimeoutError:
        raise errors.too_slow() from None


def check_signature(request: Request, raw: bytes) -> None:
    """Over the bytes of the body. A request without a signature is accepted with its key alone."""
    secret = state_of(request).settings.hmac_secret
    signature = credentials.signature(request)
    if secret is None or signature is None:
        return
    if not credentials.is_signature(signature, secret.get_secret_value().encode(), raw):
        raise errors.bad_signature()


async def read_object(request: Request) -> dict[str, Any]:
    """An optional JSON object."""
    raw = await read_body(request)
    value = request_parsing.parse(raw) if raw.strip() else {}
    if not isinstance(value, dict):
        raise errors.invalid(None, "The body must be a JSON object")
    return value
