"""Defects of what is refused, and how."""

from typing import Any

from starlette.responses import PlainTextResponse, Response

from rollout_server.engine import app, checks, endpoints, errors
from rollout_server.engine.errors import EngineError
from rollout_server.engine.mutants.planting import mutant
from rollout_server.mutants.mutant import after, put


def _plain(error: EngineError) -> Response:
    return PlainTextResponse(error.message, error.status)


def _as_500(error: EngineError) -> EngineError:
    return EngineError(500, "InternalServerError", error.message, error.param)


def _unlisted(listed: dict[str, Any]) -> dict[str, Any]:
    return {**listed, "data": []}


MUTANTS = (
    mutant("unlisted", "the list of models is empty", after(endpoints, "models", _unlisted), requirement="001"),
    mutant("unknown_model_200", "any model is served", put(checks, "check_model", lambda *_: None), requirement="003"),
    mutant(
        "overflow_500",
        "a prompt that is too long is a server error",
        after(errors, "overflow", _as_500),
        requirement="004",
    ),
    mutant("error_plain_text", "errors are text", put(app, "refused", _plain), requirement="003", companions=("004",)),
)
