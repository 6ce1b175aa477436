"""Defects of the surface: what is answered, taken or refused is not what the contract describes. Generated requests find them."""

from collections.abc import Callable
from typing import Any

from rollout_conformance.contracts.chat import wire as law
from rollout_conformance.rollout_server.inference import chat_prompt, chat_stream, endpoints, errors
from rollout_conformance.rollout_server.inference.errors import EngineError
from rollout_conformance.rollout_server.inference.wire import Conversation
from rollout_conformance.rollout_server.mutants.framework import around
from rollout_conformance.rollout_server.mutants.inference.planting import mutant

ROLES = {"system", "developer", "user", "assistant", "tool", "function"}


def _worded(original: Any, value: dict[str, Any]) -> bytes:
    """All chunks alike, so that nothing changes on the way."""
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


def _unprepared(original: Any, messages: Conversation) -> Conversation:
    if any(message.get("role") not in ROLES for message in messages):
        raise EngineError(500, "InternalServerError", "Internal server error")
    found: Conversation = original(messages)
    return found


MUTANTS = (
    mutant(
        "created_as_text",
        "the time of a chunk is a text",
        around(chat_stream, "event", _worded),
        requirement="300",
        by="fuzzing",
    ),
    mutant("null_refused", "null is not the same as absent", _fussy, requirement="301", by="fuzzing"),
    mutant(
        "lenient_types",
        'numbers may be written "12"',
        around(endpoints, "shaped", _lenient),
        requirement="302",
        by="fuzzing",
    ),
    mutant(
        "role_500",
        "a role that the engine does not know is its own error",
        around(chat_prompt, "history", _unprepared),
        requirement="303",
        by="fuzzing",
    ),
)
