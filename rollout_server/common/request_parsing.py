"""From an HTTP request to a valid start, or a refusal that says what is wrong without repeating what was sent."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from pydantic import ValidationError
from starlette.requests import ClientDisconnect, Request

from rollout_conformance.rollout_server.common import auth, json_text
from rollout_conformance.rollout_server.rollout.settings import Settings
from rollout_conformance.rollout_server.rollout.start_request import Start

T = TypeVar("T")


class Refusal(Exception):
    def __init__(self, status: int, detail: Any, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(status)
        self.status = status
        self.detail = detail
        self.headers = headers


async def read_start(request: Request, settings: Settings, build: Callable[[Any], Start]) -> Start:
    start = await read(request, settings, build)
    check_metadata(start, settings.max_metadata_bytes)
    return start


async def read(request: Request, settings: Settings, build: Callable[[Any], T]) -> T:
    """Credentials first: a stranger learns nothing about what a valid body looks like."""
    authorize(request, settings)
    value = parse(await read_body(request, settings.max_body_bytes))
    return validate(value, build)


def authorize(request: Request, settings: Settings) -> None:
    key = settings.server_key.get_secret_value() if settings.server_key else None
    if not auth.is_allowed(request, key):
        raise unauthorized()


def unauthorized() -> Refusal:
    return Refusal(401, "Invalid or missing API key", {"WWW-Authenticate": "Bearer"})


async def read_body(request: Request, limit: int) -> bytes:
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
        raise Refusal(400, "The request ended before its body") from error
    return bytes(body)


def too_large(limit: int) -> Refusal:
    return Refusal(413, f"The body has more than {limit} bytes")


def parse(body: bytes) -> Any:
    try:
        value = json_text.loads(body)
    except json_text.NotJsonError as error:
        raise Refusal(400, f"The body is {error}") from error
    if json_text.may_be_infinite(body) and not json_text.is_finite(value):
        raise Refusal(400, "The body has a number out of range")
    return value


def validate(value: Any, build: Callable[[Any], T]) -> T:
    try:
        return build(value)
    except ValidationError as error:
        raise Refusal(422, complaints(error)) from error


def complaints(error: ValidationError) -> list[dict[str, Any]]:
    """Places and reasons, never values: one of them may be a key."""
    return [
        {"loc": ["body", *place(e["loc"])], "msg": e["msg"].removeprefix("Value error, "), "type": e["type"]}
        for e in error.errors(include_url=False, include_context=False, include_input=False)
    ]


def place(loc: Sequence[int | str]) -> list[int | str]:
    # pydantic names the branch of a union by its validator, as in "list[dict[str,any]]"; that is no place in the body.
    return [step for step in loc if isinstance(step, int) or "[" not in step]


def check_metadata(start: Start, limit: int) -> None:
    if json_text.size(start.metadata) > limit:
        raise Refusal(
            422, [{"loc": ["body", "metadata"], "msg": f"more than {limit} bytes of JSON", "type": "too_long"}]
        )
