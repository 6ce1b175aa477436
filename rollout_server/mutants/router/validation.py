"""Defects of the validation of requests, and routing of paths."""

import json
from typing import Any

from starlette.responses import PlainTextResponse, Response

from rollout_conformance.rollout_server.common import request_parsing
from rollout_conformance.rollout_server.common.errors import ApiError
from rollout_conformance.rollout_server.mutants.framework import Mutant, around, put
from rollout_conformance.rollout_server.router import app, errors, failover, request_validation, response_headers


def _raw_json(body: bytes) -> Any:
    return json.loads(body)


def _wrong(status: int, message: str, headers: Any = None) -> ApiError:
    return ApiError(404 if status == 405 else status, "not_found", message)


def _silent(original: Any, status: int, message: str, headers: Any = None) -> Any:
    return original(status, message)


def _text(error: ApiError, request_id: str | None = None) -> Response:
    return PlainTextResponse(error.message, error.status, error.headers)


def _plain() -> None:
    put(app, "error_response", _text)()
    put(response_headers, "error_response", _text)()


def _flat(error: ApiError, request_id: str | None = None) -> dict[str, Any]:
    return {"error": error.message, "code": error.code}


_check_messages = request_validation.check_messages


def _known_roles(messages: Any) -> None:
    """A developer message is rejected."""
    _check_messages(messages)
    if any(message.get("role") == "developer" for message in messages):
        raise errors.invalid("messages", "unknown role: developer")


MUTANTS = (
    Mutant(
        "developer_rejected",
        breaks="001",
        also=("301",),
        what="a message of the role developer is rejected",
        patch=put(request_validation, "check_messages", _known_roles),
    ),
    Mutant(
        "bad_json_500",
        breaks="012",
        what="malformed JSON is a server error",
        patch=put(request_parsing, "parse", _raw_json),
    ),
    Mutant(
        "model_unchecked",
        breaks="012",
        what="a request without a model is accepted",
        patch=put(request_validation, "check_model", lambda _: None),
    ),
    Mutant(
        "messages_unchecked",
        breaks="012",
        what="a chat without messages is accepted",
        patch=put(request_validation, "check_messages", lambda _: None),
    ),
    Mutant(
        "unknown_model_500",
        breaks="012",
        what="an unknown model is a server error",
        patch=put(failover, "no_backend_error", lambda _: errors.internal()),
    ),
    Mutant("error_plain_text", breaks="012", also=("*",), what="errors are plain text", patch=_plain),
    Mutant(
        "error_flat",
        breaks="012",
        also=("*",),
        what="errors are not in OpenAI's envelope",
        patch=put(errors, "envelope", _flat),
    ),
    Mutant(
        "body_limit_off_by_one",
        breaks="013",
        what="the limit of the body is one byte too low",
        patch=around(request_parsing, "read_body", lambda original, request, limit: original(request, limit - 1)),
    ),
    Mutant(
        "wrong_method_404",
        breaks="024",
        what="a wrong method is answered with 404",
        patch=put(errors, "from_status", _wrong),
    ),
    Mutant(
        "no_allow_header", breaks="024", what="a 405 has no Allow header", patch=around(errors, "from_status", _silent)
    ),
    Mutant(
        "prompt_unchecked",
        breaks="049",
        what="a completion without a prompt is accepted",
        patch=put(request_validation, "check_prompt", lambda _: None),
    ),
)
