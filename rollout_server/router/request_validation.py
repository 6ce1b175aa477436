"""What the router checks of a request body. Everything else is left to the backend."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rollout_conformance.rollout_server.router import errors
from rollout_conformance.rollout_server.router.api_keys import Key
from rollout_conformance.rollout_server.router.trace_context import Trace

CHAT = "/v1/chat/completions"
COMPLETIONS = "/v1/completions"


@dataclass(frozen=True, slots=True)
class InferenceRequest:
    path: str
    body: Mapping[str, Any]
    raw: bytes
    request_id: str
    key: Key
    trace: Trace | None = None

    @property
    def model(self) -> str:
        return str(self.body["model"])

    @property
    def streams(self) -> bool:
        return self.body.get("stream") is True


def validate(
    path: str, body: Any, raw: bytes, request_id: str, key: Key, trace: Trace | None = None
) -> InferenceRequest:
    """Raises `ApiError` 400 that names the member."""
    if not isinstance(body, dict):
        raise errors.invalid(None, "The body must be a JSON object")
    check_model(body.get("model"))
    if path == CHAT:
        check_messages(body.get("messages"))
    else:
        check_prompt(body.get("prompt"))
    if not isinstance(body.get("stream"), bool | None):
        raise errors.invalid("stream", "stream must be a boolean")
    if not isinstance(body.get("stream_options"), dict | None):
        raise errors.invalid("stream_options", "stream_options must be an object")
    return InferenceRequest(path, body, raw, request_id, key, trace)


def check_model(model: Any) -> None:
    if not isinstance(model, str) or not model.strip():
        raise errors.invalid("model", "model must be a non-empty string")


def check_messages(messages: Any) -> None:
    if not isinstance(messages, list) or not messages:
        raise errors.invalid("messages", "messages must be a non-empty list")
    if not all(isinstance(message, dict) for message in messages):
        raise errors.invalid("messages", "messages must be a list of objects")


def check_prompt(prompt: Any) -> None:
    if not isinstance(prompt, str | list) or not prompt:
        raise errors.invalid("prompt", "prompt must be a non-empty string or list")
