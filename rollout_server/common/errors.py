"""Requests that are rejected: the exceptions, and the handlers that turn them into responses.

Text from a library, a backend or the request itself never becomes part of a message: it may contain a key or an address.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

from pydantic import ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

E = TypeVar("E", bound=Exception)
Handler = Callable[[Request, Exception], Awaitable[Response]]
Handlers = dict[Any, Handler]
Render = Callable[[Request, int, Any, Mapping[str, str]], Response]

# OpenAI's values of `error.type`, by HTTP status.
TYPES = {
    401: "authentication_error",
    402: "insufficient_quota",
    403: "permission_error",
    404: "not_found_error",
    409: "conflict_error",
    429: "rate_limit_error",
}
# `error.code` of what the shared parsing of bodies and the routing of paths reject.
CODES = {400: "invalid_json", 404: "not_found", 405: "method_not_allowed", 413: "body_too_large"}


class RequestError(Exception):
    """A request that is rejected before the server looked at its meaning. Each server has its own body for it."""

    def __init__(self, status: int, detail: Any, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(status)
        self.status = status
        self.detail = detail
        self.headers = dict(headers or {})


class ApiError(Exception):
    """An error response of an OpenAI-compatible API; the request changed nothing."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        param: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.param = param
        self.headers = dict(headers or {})


def envelope(error: ApiError, **more: Any) -> dict[str, Any]:
    """OpenAI's error object."""
    kind = TYPES.get(error.status, "invalid_request_error" if error.status < 500 else "server_error")
    return {"error": {"message": error.message, "type": kind, "param": error.param, "code": error.code, **more}}


def from_status(
    status: int, message: str, headers: Mapping[str, str] | None = None, codes: Mapping[int, str] = CODES
) -> ApiError:
    return ApiError(status, codes.get(status, "refused"), message, headers=headers)


def unauthorized() -> ApiError:
    return ApiError(401, "invalid_api_key", "Invalid or missing API key", headers={"WWW-Authenticate": "Bearer"})


def handlers(render: Render) -> Handlers:
    """Handlers of `RequestError` and of Starlette's `HTTPException` (unknown path, wrong method)."""

    def rejected(request: Request, error: RequestError) -> Response:
        return render(request, error.status, error.detail, error.headers)

    def unrouted(request: Request, error: HTTPException) -> Response:
        return render(request, error.status_code, error.detail, error.headers or {})

    return handler(RequestError, rejected) | handler(HTTPException, unrouted)


def handler(kind: type[E], respond: Callable[[Request, E], Response]) -> Handlers:
    """One entry of Starlette's `exception_handlers`, with the type of its exception."""

    async def handle(request: Request, error: Exception) -> Response:
        assert isinstance(error, kind)
        return respond(request, error)

    return {kind: handle}


def problems(error: ValidationError) -> list[dict[str, Any]]:
    """Locations and reasons in FastAPI's form, without the rejected values: one of them may be a key."""
    return [
        {"loc": ["body", *location(e["loc"])], "msg": e["msg"].removeprefix("Value error, "), "type": e["type"]}
        for e in error.errors(include_url=False, include_context=False, include_input=False)
    ]


def location(loc: tuple[int | str, ...]) -> list[int | str]:
    # pydantic names the branch of a union by its validator, as in "list[dict[str,any]]"; that is no location in the body.
    return [step for step in loc if isinstance(step, int) or "[" not in step]


def path(loc: list[int | str]) -> str:
    """`messages[2].role`."""
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in loc).removeprefix(".")
