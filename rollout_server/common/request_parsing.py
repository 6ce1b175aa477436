"""From an HTTP request to a valid body, or a `RequestError` that does not repeat what was sent."""

from collections.abc import Callable
from typing import Any, TypeVar

from pydantic import ValidationError
from starlette.requests import ClientDisconnect, Request

from rollout_conformance.rollout_server.common import errors, json_text
from rollout_conformance.rollout_server.common.errors import RequestError

T = TypeVar("T")


async def read_body(request: Request, limit: int) -> bytes:
    """Raises `RequestError`: 413 as soon as the body is known to exceed `limit` bytes (RFC 9110, 15.5.14)."""
    announced = request.headers.get("content-length", "")
    if announced.isdigit() and int(announced) > limit:
        raise too_large(limit)
    body = bytearray()
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > limit:
                raise too_large(limit)
    except ClientDisconnect as error:
        raise RequestError(400, "The request ended before its body") from error
    return bytes(body)


def too_large(limit: int) -> RequestError:
    return RequestError(413, f"The body has more than {limit} bytes")


def parse(body: bytes) -> Any:
    """The body as JSON (RFC 8259). Raises `RequestError` 400."""
    try:
        value = json_text.loads(body)
    except json_text.NotJsonError as error:
        raise RequestError(400, f"The body is {error}") from error
    if json_text.may_be_infinite(body) and not json_text.is_finite(value):
        raise RequestError(400, "The body has a number out of range")
    return value


def validate(value: Any, build: Callable[[Any], T]) -> T:
    """Raises `RequestError` 422 with FastAPI's list of problems."""
    try:
        return build(value)
    except ValidationError as error:
        raise RequestError(422, errors.problems(error)) from error
