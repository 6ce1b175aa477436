"""The error responses of the router, each with a sentence of its own (see `common/errors.py`)."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from rollout_conformance.rollout_server.common import errors
from rollout_conformance.rollout_server.common.errors import ApiError

SOON = {"Retry-After": "1"}

Failure = Literal["connect", "timeout", "status", "invalid"]


def envelope(error: ApiError, request_id: str | None = None) -> dict[str, Any]:
    """With the id of the request: users copy the body into a report, not the headers."""
    return errors.envelope(error, **({"request_id": request_id} if request_id else {}))


def from_status(status: int, message: str, headers: Mapping[str, str] | None = None) -> ApiError:
    return errors.from_status(status, message, headers)


def unauthorized() -> ApiError:
    return errors.unauthorized()


def bad_signature() -> ApiError:
    return ApiError(401, "invalid_signature", "X-HMAC-Signature does not sign this body")


def forbidden(scope: str) -> ApiError:
    return ApiError(403, "missing_scope", f"This API key lacks the scope {scope}")


def invalid(param: str | None, message: str) -> ApiError:
    return ApiError(400, "invalid_request", message, param=param)


def too_slow() -> ApiError:
    return ApiError(408, "body_timeout", "The body did not arrive in time", headers={"Connection": "close"})


def unknown_model() -> ApiError:
    message = "The model does not exist; GET /v1/models lists those that do"
    return ApiError(404, "model_not_found", message, param="model")


def no_such(what: str) -> ApiError:
    return ApiError(404, "not_found", f"There is no such {what}")


def limited(retry_after: int) -> ApiError:
    headers = {"Retry-After": str(retry_after)}
    return ApiError(429, "rate_limit_exceeded", f"Too many requests; try again in {retry_after} s", headers=headers)


def out_of_budget(spent: int, budget: int) -> ApiError:
    return ApiError(402, "budget_exceeded", f"The token budget of this API key is exhausted: {spent} of {budget}")


def overloaded() -> ApiError:
    return ApiError(503, "overloaded", "Too many requests are running; try again later", headers=SOON)


def stopping() -> ApiError:
    return ApiError(503, "shutting_down", "The router is shutting down", headers=SOON)


def restarting() -> ApiError:
    return ApiError(503, "worker_restarting", "The worker process of this request is being started again", headers=SOON)


def no_state() -> ApiError:
    return ApiError(503, "state_unavailable", "The state store cannot be reached; try again later", headers=SOON)


def key_exists() -> ApiError:
    return ApiError(409, "key_exists", "This API key exists already", param="key")


def reused() -> ApiError:
    return ApiError(422, "idempotency_key_reused", "This Idempotency-Key was used with another request")


def internal() -> ApiError:
    return ApiError(500, "internal_error", "Internal server error")


def all_backends_failed(failures: Sequence[Failure]) -> ApiError:
    """One error for all failed backends: the kind of failure, without any text of theirs."""
    kinds = set(failures)
    if not kinds or kinds == {"connect"}:
        return ApiError(503, "backend_unavailable", "No backend of this model can be reached", headers=SOON)
    if kinds == {"timeout"}:
        return ApiError(504, "backend_timeout", "No backend of this model answered in time")
    return ApiError(502, "backend_error", "The backends of this model failed")


def interrupted() -> ApiError:
    """An error event inside a stream, which ends with it."""
    return ApiError(502, "stream_interrupted", "The backend failed before the end of its response, which is incomplete")
