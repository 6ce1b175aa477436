"""The error responses of the trainer, each with a sentence of its own (see `common/errors.py`)."""

from pydantic import ValidationError

from rollout_conformance.rollout_server.common import errors
from rollout_conformance.rollout_server.common.errors import ApiError


def invalid(error: ValidationError) -> ApiError:
    """One sentence for each member that is wrong."""
    problems = errors.problems(error)
    paths = [errors.path(problem["loc"][1:]) or "body" for problem in problems]
    sentences = dict.fromkeys(f"{path}: {problem['msg']}" for path, problem in zip(paths, problems, strict=True))
    return ApiError(422, "invalid_body", "; ".join(sentences), param=paths[0])


def not_an_object() -> ApiError:
    return ApiError(422, "invalid_body", "body: a JSON object is required")


def no_id() -> ApiError:
    return ApiError(422, "invalid_body", "rollout_id: a string is required", param="rollout_id")


def no_host() -> ApiError:
    return ApiError(400, "invalid_host", "Host: it is no valid address that rollout servers could call back")


def unauthorized() -> ApiError:
    return errors.unauthorized()


def unknown() -> ApiError:
    return ApiError(404, "unknown_rollout", "No rollout has this id", param="rollout_id")


def used_id() -> ApiError:
    return ApiError(409, "rollout_exists", "This rollout id was used before", param="rollout_id")


def full() -> ApiError:
    return ApiError(429, "too_many_rollouts", "Too many rollouts; try again later", headers={"Retry-After": "1"})


def ended() -> ApiError:
    return ApiError(409, "rollout_ended", "The rollout has ended; nothing more is generated for it")


def busy() -> ApiError:
    return ApiError(409, "generation_running", "Another generation of this rollout is running")


def not_ready() -> ApiError:
    return ApiError(503, "tools_unknown", "The tools of this rollout are not known yet", headers={"Retry-After": "1"})


def no_report() -> ApiError:
    return ApiError(409, "wrong_dialect", "A rollout of the sync dialect ends with the response to its start request")


def history(index: int, problem: str) -> ApiError:
    return ApiError(409, "history_mismatch", f"messages[{index}]: {problem}", param="messages")


def mask(problem: str) -> ApiError:
    return ApiError(422, "invalid_response_mask", f"response_mask: {problem}", param="response_mask")


def context(prompt: int, limit: int) -> ApiError:
    said = f"messages: the prompt has {prompt} tokens, and the context of the model has room for {limit}"
    return ApiError(400, "context_length_exceeded", said, param="messages")


def no_control() -> ApiError:
    return ApiError(404, "no_such_path", "This trainer takes no control requests")


def backend(status: int, code: str, message: str) -> ApiError:
    return ApiError(status, code, message)
