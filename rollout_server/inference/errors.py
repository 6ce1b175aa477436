"""What the engine says when it refuses: the envelope of vLLM, whose `code` is the status once more.

vLLM answers a wrong key and an unknown path in other shapes; here they have the envelope too, so that one rule holds for all.
"""

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from rollout_conformance.rollout_server.common import request_parsing


class EngineError(Exception):
    """Becomes an HTTP answer; nothing was generated."""

    def __init__(self, status: int, kind: str, message: str, param: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.kind = kind
        self.message = message
        self.param = param


def envelope(status: int, kind: str, message: str, param: str | None = None) -> dict[str, Any]:
    return {"error": {"message": message, "type": kind, "param": param, "code": status}}


def bad(message: str, param: str | None = None) -> EngineError:
    return EngineError(400, "BadRequestError", message, param)


def malformed(message: str, param: str = "body") -> EngineError:
    """For what is no request at all. vLLM writes the type of these with a space."""
    return EngineError(400, "Bad Request", message, param)


def invalid(error: ValidationError) -> EngineError:
    complaints = request_parsing.complaints(error)
    places = [".".join(str(step) for step in complaint["loc"]) for complaint in complaints]
    said = dict.fromkeys(f"{where}: {complaint['msg']}" for where, complaint in zip(places, complaints, strict=True))
    return malformed("; ".join(said), places[0])


def unauthorized() -> EngineError:
    return EngineError(401, "AuthenticationError", "Unauthorized")


def unknown_model(name: str, own: str) -> EngineError:
    message = f"The model `{name}` does not exist. Valid aliases: {own}."
    return EngineError(404, "NotFoundError", message, "model")


def overflow(longest: int, prompt: int, asked: int) -> EngineError:
    """`asked` is how many tokens the reply may have, 0 when the request does not say."""
    wish = f"you requested {asked} output tokens and your prompt" if asked else "your prompt"
    message = (
        f"This model's maximum context length is {longest} tokens. However, {wish} contains {prompt} input tokens. "
        "Please reduce the length of the input prompt or the number of requested output tokens."
    )
    return bad(message, "input_tokens")


def of_status(status: int, message: str, headers: Mapping[str, str] | None = None) -> EngineError:
    kinds = {400: "Bad Request", 404: "NotFoundError", 405: "MethodNotAllowedError", 413: "RequestEntityTooLargeError"}
    return EngineError(status, kinds.get(status, "InternalServerError"), message)
