"""The error responses of the inference server in vLLM's envelope, whose `code` repeats the status.

vLLM answers a wrong key and an unknown path in other formats; here they have the envelope too, so that one rule holds for
all. `ApiError.code` is vLLM's `type`.
"""

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from rollout_conformance.rollout_server.common import errors
from rollout_conformance.rollout_server.common.errors import ApiError

TYPES = {400: "Bad Request", 404: "NotFoundError", 405: "MethodNotAllowedError", 413: "RequestEntityTooLargeError"}


def envelope(error: ApiError) -> dict[str, Any]:
    return {"error": {"message": error.message, "type": error.code, "param": error.param, "code": error.status}}


def bad(message: str, param: str | None = None) -> ApiError:
    return ApiError(400, "BadRequestError", message, param)


def malformed(message: str, param: str = "body") -> ApiError:
    """For a body that is not a request. vLLM writes the type of these with a space."""
    return ApiError(400, "Bad Request", message, param)


def invalid(error: ValidationError) -> ApiError:
    problems = errors.problems(error)
    paths = [".".join(str(step) for step in problem["loc"]) for problem in problems]
    sentences = dict.fromkeys(f"{path}: {problem['msg']}" for path, problem in zip(paths, problems, strict=True))
    return malformed("; ".join(sentences), paths[0])


def unauthorized() -> ApiError:
    return ApiError(401, "AuthenticationError", "Unauthorized")


def unknown_model(name: str, own: str) -> ApiError:
    message = f"The model `{name}` does not exist. Valid aliases: {own}."
    return ApiError(404, "NotFoundError", message, "model")


def overflow(longest: int, prompt: int, requested: int) -> ApiError:
    """`requested` is how many tokens the reply may have, 0 when the request does not limit it."""
    subject = f"you requested {requested} output tokens and your prompt" if requested else "your prompt"
    message = (
        f"This model's maximum context length is {longest} tokens. However, {subject} contains {prompt} input tokens. "
        "Please reduce the length of the input prompt or the number of requested output tokens."
    )
    return bad(message, "input_tokens")


def from_status(status: int, message: str, headers: Mapping[str, str] | None = None) -> ApiError:
    return ApiError(status, TYPES.get(status, "InternalServerError"), message, headers=headers)
