"""Defects of what is refused, and how."""

from typing import Any

from starlette.responses import PlainTextResponse, Response

from rollout_conformance.rollout_server.inference import app, endpoints, errors, request_validation
from rollout_conformance.rollout_server.inference.errors import EngineError
from rollout_conformance.rollout_server.mutants.framework import after, around, put
from rollout_conformance.rollout_server.mutants.inference.planting import mutant


def _plain(error: EngineError) -> Response:
    return PlainTextResponse(error.message, error.status)


def _as_500(error: EngineError) -> EngineError:
    return EngineError(500, "InternalServerError", error.message, error.param)


def _unlisted(listed: dict[str, Any]) -> dict[str, Any]:
    return {**listed, "data": []}


def _chatty(found: dict[str, Any]) -> dict[str, Any]:
    error = found["error"]
    place = 'Traceback (most recent call last):\n  File "/srv/engine/app.py", line 12'
    return {"error": {**error, "message": f"{error['message']} {place}"}}


def _any_key(original: Any, request: Any) -> None:
    if "authorization" not in request.headers:
        original(request)


def _shows_key(original: Any, request: Any) -> None:
    try:
        original(request)
    except EngineError as error:
        raise EngineError(
            error.status, error.kind, f"{error.message}: {request.headers.get('authorization')}"
        ) from error


MUTANTS = (
    mutant("chatty", "errors show where they were made", after(errors, "envelope", _chatty), requirement="005"),
    mutant("any_key", "any key is the right one", around(endpoints, "check_key", _any_key), requirement="006"),
    mutant(
        "shows_key", "a wrong key is shown in the error", around(endpoints, "check_key", _shows_key), requirement="007"
    ),
    mutant("unlisted", "the list of models is empty", after(endpoints, "models", _unlisted), requirement="001"),
    mutant(
        "unknown_model_200",
        "any model is served",
        put(request_validation, "check_model", lambda *_: None),
        requirement="003",
    ),
    mutant(
        "overflow_500",
        "a prompt that is too long is a server error",
        after(errors, "overflow", _as_500),
        requirement="004",
    ),
    mutant("error_plain_text", "errors are text", put(app, "refused", _plain), requirement="008"),
)
