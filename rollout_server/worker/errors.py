"""The error responses of the dialect `orcd`. The text of a prompt or of a stop is never repeated."""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ValidationError
from starlette.responses import Response

from rollout_conformance.contracts.worker.wire_orcd import CONSTRAINTS, LONGEST_STOP
from rollout_conformance.rollout_server.common.responses import json_response

Problem = dict[str, str]
RETRY_AFTER_S = "1"
BODY_CONSTRAINTS = {400: "json", 413: "size", 415: "media_type"}


class JobError(Exception):
    """A request that starts no job, with its response in the words of `orcd`."""

    def __init__(self, status: int, code: str, message: str, problems: Sequence[Problem] = ()) -> None:
        super().__init__(code)
        self.status, self.code, self.message, self.problems = status, code, message, tuple(problems)

    @property
    def retriable(self) -> bool:
        return self.status == 503

    def body(self) -> dict[str, Any]:
        body = {"code": self.code, "message": self.message, "retriable": self.retriable}
        return body | ({"errors": [*self.problems]} if self.problems else {})

    def headers(self) -> dict[str, str]:
        return {"Retry-After": RETRY_AFTER_S} if self.retriable else {}


def invalid(problems: Sequence[Problem]) -> JobError:
    return JobError(400, "INVALID_REQUEST", "The request violates the constraints of its members", problems)


def rejected(status: int, detail: Any) -> JobError:
    """A request that was rejected before its members were looked at."""
    found = [problem("body", BODY_CONSTRAINTS[status], str(detail))] if status in BODY_CONSTRAINTS else []
    return JobError(status, "INVALID_REQUEST", str(detail), found)


def duplicate() -> JobError:
    return JobError(409, "DUPLICATE_JOB", "A job with this job_id has not ended")


def queue_full() -> JobError:
    return JobError(503, "QUEUE_FULL", "All slots are taken and the queue is full")


def unhealthy(status: str) -> JobError:
    return JobError(503, "WORKER_UNHEALTHY", f"The worker takes no jobs: {status}")


def internal() -> JobError:
    return JobError(500, "INTERNAL", "Internal error")


def response(error: JobError, more: Mapping[str, str] | None = None) -> Response:
    return json_response(error.body(), error.status, {**error.headers(), **(more or {})})


def problem(field: str, constraint: str, message: str) -> Problem:
    return {"field": field, "constraint": constraint, "message": message}


def problems(error: ValidationError) -> list[Problem]:
    """One for each violation, without the rejected value."""
    return [_problem(dict(one)) for one in error.errors(include_url=False, include_context=False, include_input=False)]


def _problem(found: dict[str, Any]) -> Problem:
    field = str(found["loc"][0]) if found["loc"] else "body"
    message = str(found["msg"]).removeprefix("Value error, ")
    return problem(field, constraint(field, str(found["type"]), in_list=len(found["loc"]) > 1), message)


def constraint(field: str, kind: str, *, in_list: bool) -> str:
    """The name of the violated rule, from pydantic's type of the error."""
    if kind == "missing":
        return "required"
    if kind.endswith(("_type", "_unicode")) or field not in CONSTRAINTS:
        return "type"
    if in_list:
        return "non_empty" if kind == "string_too_short" else f"max_length({LONGEST_STOP})"
    return CONSTRAINTS[field]
