"""Defects of the HTTP surface: models, errors, keys, validation."""

from collections.abc import Callable
from typing import Any

from starlette.responses import PlainTextResponse, Response

from rollout_conformance.contracts.chat import wire as law
from rollout_conformance.rollout_server.common import auth
from rollout_conformance.rollout_server.common.errors import ApiError
from rollout_conformance.rollout_server.inference import (
    app,
    chat_prompt,
    chat_stream,
    endpoints,
    errors,
    request_validation,
)
from rollout_conformance.rollout_server.inference.wire import Conversation
from rollout_conformance.rollout_server.mutants.framework import FUZZING, Mutant, after, around, put

ROLES = {"system", "developer", "user", "assistant", "tool", "function"}


def _worded(original: Any, value: dict[str, Any]) -> bytes:
    """All chunks, so that `created` is equal in them."""
    return bytes(original({**value, "created": str(value["created"])}))


def _without_nulls(original: Any) -> Callable[..., Any]:
    async def read(request: Any) -> Any:
        body = await original(request)
        empty = [name for name, value in body.items() if value is None] if isinstance(body, dict) else []
        if empty:
            raise errors.bad(f"{empty[0]} is null", empty[0])
        return body

    return read


def _fussy() -> None:
    endpoints.read = _without_nulls(endpoints.read)


def _lenient(original: Any, model: Any, body: Any) -> Any:
    return body if model is law.ChatRequest else original(model, body)


def _unprepared(original: Any, tokens: Any, messages: Conversation, *arguments: Any, **named: Any) -> list[int]:
    if any(message.get("role") not in ROLES for message in messages):
        raise ApiError(500, "InternalServerError", "Internal server error")
    found: list[int] = original(tokens, messages, *arguments, **named)
    return found


def _plain(error: ApiError) -> Response:
    return PlainTextResponse(error.message, error.status)


def _as_500(error: ApiError) -> ApiError:
    return ApiError(500, "InternalServerError", error.message, error.param)


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
    except ApiError as error:
        raise ApiError(error.status, error.code, f"{error.message}: {request.headers.get('authorization')}") from error


MUTANTS = (
    Mutant("unlisted", breaks="001", what="the list of models is empty", patch=after(endpoints, "models", _unlisted)),
    Mutant(
        "unknown_model_200",
        breaks="003",
        what="any model is served",
        patch=put(request_validation, "check_model", lambda *_: None),
    ),
    Mutant(
        "overflow_500",
        breaks="004",
        what="a prompt that is too long is a server error",
        patch=after(errors, "overflow", _as_500),
    ),
    Mutant("chatty", breaks="005", what="error messages contain a traceback", patch=after(errors, "envelope", _chatty)),
    Mutant(
        "key_prefix",
        breaks="006",
        what="the first letters of the key are accepted as the key",
        patch=put(auth, "matches", lambda value, key: bool(key.startswith(auth.bearer_token(value) or b"-"))),
    ),
    Mutant("any_key", breaks="006", what="any key is accepted", patch=around(endpoints, "check_key", _any_key)),
    Mutant(
        "shows_key",
        breaks="007",
        what="a wrong key is shown in the error",
        patch=around(endpoints, "check_key", _shows_key),
    ),
    Mutant("error_plain_text", breaks="008", what="errors are plain text", patch=put(app, "error_response", _plain)),
    Mutant(
        "created_as_text",
        breaks="300",
        what="created of a chunk is a string",
        patch=around(chat_stream, "event", _worded),
        by=FUZZING,
    ),
    Mutant(
        "null_refused", breaks="301", what="null is rejected instead of treated as absent", patch=_fussy, by=FUZZING
    ),
    Mutant(
        "lenient_types",
        breaks="302",
        what='numbers as strings ("12") are accepted',
        patch=around(endpoints, "parse_as", _lenient),
        by=FUZZING,
    ),
    Mutant(
        "role_500",
        breaks="303",
        what="an unknown role is a server error",
        patch=around(chat_prompt, "ids", _unprepared),
        by=FUZZING,
    ),
)
