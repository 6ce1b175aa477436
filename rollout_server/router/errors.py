"""What the router says when it refuses: the error envelope of OpenAI, with a sentence of our own.

What a backend, a library or the request said never becomes part of the sentence: it may be an address, a key or a message.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

TYPES = {
    401: "authentication_error",
    402: "insufficient_quota",
    403: "permission_error",
    404: "not_found_error",
    409: "conflict_error",
    429: "rate_limit_error",
}
CODES = {400: "invalid_json", 404: "not_found", 405: "method_not_allowed", 413: "body_too_large"}
SOON = {"Retry-After": "1"}

Failure = Literal["connect", "timeout", "status", "invalid"]


class RouterError(Exception):
    """Becomes an HTTP answer."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        param: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(code)
        self.status = status
        self.code = code
        self.message = message
        self.param = param
        self.headers = dict(headers or {})


def envelope(error: RouterError, request_id: str | None = None) -> dict[str, Any]:
    """With the id of the request, where it has one: what a user copies into a question is the body and not the headers."""
    kind = TYPES.get(error.status, "invalid_request_error" if error.status < 500 else "server_error")
    named = {"request_id": request_id} if request_id else {}
    return {"error": {"message": error.message, "type": kind, "param": error.param, "code": error.code, **named}}


def of_status(status: int, message: str, headers: Mapping[str, str] | None = None) -> RouterError:
    """For what the shared reading of bodies and the routing of paths refuse."""
    return RouterError(status, CODES.get(status, "refused"), message, headers=headers)


def unauthorized() -> RouterError:
    return RouterError(401, "invalid_api_key", "Invalid or missing API key", headers={"WWW-Authenticate": "Bearer"})


def bad_signature() -> RouterError:
    return RouterError(401, "invalid_signature", "X-HMAC-Signature does not sign this body")


def forbidden(scope: str) -> RouterError:
    return RouterError(403, "missing_scope", f"This API key lacks the scope {scope}")


def invalid(param: str | None, message: str) -> RouterError:
    return RouterError(400, "invalid_request", message, param=param)


def too_slow() -> RouterError:
    return RouterError(408, "body_timeout", "The body did not arrive in time", headers={"Connection": "close"})


def unknown_model() -> RouterError:
    message = "The model does not exist; GET /v1/models lists those that do"
    return RouterError(404, "model_not_found", message, param="model")


def no_such(what: str) -> RouterError:
    return RouterError(404, "not_found", f"There is no such {what}")


def limited(retry_after: int) -> RouterError:
    headers = {"Retry-After": str(retry_after)}
    return RouterError(429, "rate_limit_exceeded", f"Too many requests; try again in {retry_after} s", headers=headers)


def out_of_budget(spent: int, budget: int) -> RouterError:
    return RouterError(402, "budget_exceeded", f"The budget of this API key is used up: {spent} of {budget} tokens")


def overloaded() -> RouterError:
    return RouterError(503, "overloaded", "Too many requests are running; try again later", headers=SOON)


def stopping() -> RouterError:
    return RouterError(503, "shutting_down", "The router is shutting down", headers=SOON)


def no_state() -> RouterError:
    return RouterError(503, "state_unavailable", "The state store cannot be reached; try again later", headers=SOON)


def key_exists() -> RouterError:
    return RouterError(409, "key_exists", "This API key exists", param="key")


def reused() -> RouterError:
    return RouterError(422, "idempotency_key_reused", "This Idempotency-Key was used with another request")


def internal() -> RouterError:
    return RouterError(500, "internal_error", "Internal server error")


def unserved(failures: Sequence[Failure]) -> RouterError:
    """One answer for all backends that failed: which kind of failure it was, and nothing of what they said."""
    kinds = set(failures)
    if not kinds or kinds == {"connect"}:
        return RouterError(503, "backend_unavailable", "No backend of this model can be reached", headers=SOON)
    if kinds == {"timeout"}:
        return RouterError(504, "backend_timeout", "No backend of this model answered in time")
    return RouterError(502, "backend_error", "The backends of this model failed")


def interrupted() -> RouterError:
    """Told inside a stream, which ends with it."""
    return RouterError(
        502, "stream_interrupted", "The backend failed before the end of its answer; what came is a part"
    )
