"""What is said of a case that is not played because the router lacks what it needs, or its card does not say that it has it."""

from collections.abc import Mapping

URL_ONLY = "the suite cannot start a target that it is only given the URL of"


def _undeclared(name: str, what: str) -> str:
    return f"the card does not declare the capability `{name}`: {what}"


LACKS: Mapping[str, str] = {
    "key": "no key of the target was given (--target-key)",
    "limited": "the card names no key `limited`: one request a second, a burst of three",
    "limited_too": "the card names no key `limited_too`: of the same limits as `limited`",
    "poor": "the card names no key `poor`: a budget of twenty tokens",
    "other": "the card names no key `other`: of another organisation, without limits",
    "weights": "the card has no variant `weights`: engine b of nine times the weight of engine a",
    "x_api_key": "the card does not declare the capability `x_api_key`",
    "admin": _undeclared("admin", "the paths under /v1/admin/routing"),
    "audit": _undeclared("audit", "GET /v1/audit/requests/{request_id}"),
    "idempotency_key": _undeclared("idempotency_key", "a repeated request is answered once"),
    "body_limit": _undeclared("body_limit", "a megabyte, and no byte more"),
    "timeout": _undeclared("timeout", "an engine that is silent is given up within its patience"),
}
