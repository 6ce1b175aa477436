"""From an HTTP request to a valid one: who asks comes first, so a stranger learns nothing about bodies and no backend hears of it."""

import asyncio
import re
import time
import uuid
from typing import Any, cast

from starlette.requests import Request

from rollout_conformance.rollout_server.common import request_parsing
from rollout_conformance.rollout_server.router import api_keys, credentials, errors, request_validation, trace_context
from rollout_conformance.rollout_server.router.api_keys import Key
from rollout_conformance.rollout_server.router.app_state import Kit
from rollout_conformance.rollout_server.router.rate_limit import Taken
from rollout_conformance.rollout_server.router.request_validation import Asked

REQUEST_ID = re.compile(r"[\x21-\x7e]{1,128}")


def kit_of(request: Request) -> Kit:
    return cast(Kit, request.app.state.kit)


def given_id(value: str | None) -> str | None:
    """What the client calls its request, if that can be a header, a label and a part of a path."""
    return value if value and REQUEST_ID.fullmatch(value) else None


def request_id(value: str | None) -> str:
    return given_id(value) or f"req-{uuid.uuid4().hex}"


async def authenticate(request: Request, scope: str | None) -> Key:
    """The key of the request. Raises `RouterError` 401, 403, or 503 without the state store."""
    kit = kit_of(request)
    secret = credentials.presented(request)
    key = await kit.ledger.key(api_keys.digest(secret)) if secret else None
    if key is None or not api_keys.is_valid(key, time.time()):
        raise errors.unauthorized()
    show(request, kit.look(key))
    if scope is not None:
        api_keys.check_scope(key, scope)
    return key


def show(request: Request, taken: Taken | None) -> None:
    """For the headers of the answer, whatever it will be."""
    request.state.taken = taken


def limit_headers(taken: Taken | None) -> dict[str, str]:
    if taken is None:
        return {}
    return {"X-RateLimit-Limit": str(taken.limit), "X-RateLimit-Remaining": str(taken.remaining)}


def admit(request: Request, key: Key) -> None:
    taken = kit_of(request).take(key)
    show(request, taken)
    if taken is not None and not taken.allowed:
        raise errors.limited(taken.retry_after)


async def read_asked(request: Request, path: str) -> Asked:
    key = await authenticate(request, "inference")
    admit(request, key)
    raw = await read_body(request)
    check_signature(request, raw)
    return request_validation.asked(
        path, request_parsing.parse(raw), raw, request.state.request_id, key, trace_context.of(request.headers)
    )


async def read_body(request: Request) -> bytes:
    settings = kit_of(request).settings
    try:
        async with asyncio.timeout(settings.body_timeout_s):
            return await request_parsing.read_body(request, settings.body_limit)
    except TimeoutError:
        raise errors.too_slow() from None


def check_signature(request: Request, raw: bytes) -> None:
    """Over the bytes as they were sent. Who sends none is believed by the key alone."""
    secret = kit_of(request).settings.hmac_secret
    signature = credentials.signature(request)
    if secret is None or signature is None:
        return
    if not credentials.signs(signature, secret.get_secret_value().encode(), raw):
        raise errors.bad_signature()


async def read_object(request: Request) -> dict[str, Any]:
    """A body that may be left out."""
    raw = await read_body(request)
    value = request_parsing.parse(raw) if raw.strip() else {}
    if not isinstance(value, dict):
        raise errors.invalid(None, "The body must be a JSON object")
    return value
