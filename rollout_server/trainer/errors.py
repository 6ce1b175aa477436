"""What the trainer says when it refuses: the error envelope of OpenAI, with a sentence of our own.

What a library, a backend or a rollout server said never becomes part of the sentence, and neither does a value of the request:
it may be a key.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from rollout_conformance.rollout_server.common import request_parsing


class RefusedError(Exception):
    """Becomes an HTTP answer; the session is as it was."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        param: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(code)
        self.status = status
        self.code = code
        self.message = message
        self.param = param
        self.headers = headers


TYPES = {
    401: "authentication_error",
    404: "not_found_error",
    409: "conflict_error",
    429: "rate_limit_error",
}


def envelope(status: int, code: str, message: str, param: str | None = None) -> dict[str, Any]:
    kind = TYPES.get(status, "invalid_request_error" if status < 500 else "server_error")
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


def invalid(error: ValidationError) -> RefusedError:
    """One sentence for each member that is wrong."""
    complaints = request_parsing.complaints(error)
    places = [place(complaint["loc"][1:]) for complaint in complaints]
    said = dict.fromkeys(f"{where}: {complaint['msg']}" for where, complaint in zip(places, complaints, strict=True))
    return RefusedError(422, "invalid_body", "; ".join(said), param=places[0])


def place(loc: Sequence[Any]) -> str:
    """`messages[2].role`, as a person would write it."""
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in loc)
    return text.removeprefix(".") or "body"


def not_an_object() -> RefusedError:
    return RefusedError(422, "invalid_body", "body: a JSON object is required")


def no_id() -> RefusedError:
    return RefusedError(422, "invalid_body", "rollout_id: a text is required", param="rollout_id")


def no_host() -> RefusedError:
    return RefusedError(400, "invalid_host", "Host: rollout servers could not be told where this trainer is")


def unauthorized() -> RefusedError:
    return RefusedError(401, "invalid_api_key", "Invalid or missing API key", headers={"WWW-Authenticate": "Bearer"})


def unknown() -> RefusedError:
    return RefusedError(404, "unknown_rollout", "No rollout has this id", param="rollout_id")


def used_id() -> RefusedError:
    return RefusedError(409, "rollout_exists", "This rollout id was used before", param="rollout_id")


def full() -> RefusedError:
    return RefusedError(429, "too_many_rollouts", "Too many rollouts; try again later", headers={"Retry-After": "1"})


def ended() -> RefusedError:
    return RefusedError(409, "rollout_ended", "The rollout has ended; nothing more is generated for it")


def busy() -> RefusedError:
    return RefusedError(409, "generation_running", "Another generation of this rollout is running")


def not_ready() -> RefusedError:
    return RefusedError(
        503, "tools_unknown", "The tools of this rollout are not known yet", headers={"Retry-After": "1"}
    )


def no_report() -> RefusedError:
    return RefusedError(409, "wrong_dialect", "A rollout of the sync dialect ends with the answer to its start request")


def history(index: int, problem: str) -> RefusedError:
    return RefusedError(409, "history_mismatch", f"messages[{index}]: {problem}", param="messages")


def mask(problem: str) -> RefusedError:
    return RefusedError(422, "invalid_response_mask", f"response_mask: {problem}", param="response_mask")


def unrenderable() -> RefusedError:
    return RefusedError(422, "unrenderable", "messages: the chat template cannot render them", param="messages")


def backend(status: int, code: str, message: str) -> RefusedError:
    return RefusedError(status, code, message)
