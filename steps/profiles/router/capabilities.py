"""What is said of a case that is not played because the router lacks what it needs, or its card does not say that it has it."""

from collections.abc import Mapping

URL_ONLY = "the suite cannot start a target that it is only given the URL of"


def _undeclared(name: str, what: str) -> str:
    return f"the card does not declare the capability `{name}`: {what}"


LACKS: Mapping[str, str] = {
    "key": "no key of the target was given (--target-key)",
    "health": "the card names no path of the router's health (`health: /...`), and GET /health is answered 404",
    "limited": "the card names no key `limited`: one request a second, a burst of three",
    "limited_too": "the card names no key `limited_too`: of the same limits as `limited`",
    "poor": "the card names no key `poor`: a budget of twenty tokens",
    "other": "the card names no key `other`: of another organisation, without limits",
    "weights": "the card has no variant `weights`: engine b of nine times the weight of engine a",
    "standby": "the card has no variant `standby`: engine a without weight",
    "kv_router": "the card has no variant `kv_router`: what begins alike goes to one engine",
    "mortal": "the card has no variant `mortal`: in front of the engines c and d, which it looks after several times a second",
    "hmac": "the card names no key `hmac`: the secret of X-HMAC-Signature",
    "models": _undeclared("models", "it learns from its engines which models they have"),
    "migration": _undeclared("migration", "another engine goes on with a stream"),
    "overload": _undeclared("overload", "four requests at the same time in the variant `small`"),
    "planner": _undeclared("planner", "GET /v1/admin/planner, and a full load of four requests in the variant `small`"),
    "reply_limit": _undeclared("reply_limit", "answers of up to a megabyte in the variant `small`"),
    "metrics": _undeclared("metrics", "GET /metrics in the text format of Prometheus"),
    "request_id": _undeclared("request_id", "X-Request-Id"),
    "readiness": _undeclared("readiness", "GET /v1/status/readyz"),
    "completions": _undeclared("completions", "POST /v1/completions"),
    "admin_keys": _undeclared("admin_keys", "the paths under /v1/admin/keys"),
    "decision": _undeclared("decision", "X-Routing-Decision is PRIMARY or FAILOVER"),
    "x_api_key": _undeclared("x_api_key", "a key in X-API-Key"),
    "admin": _undeclared("admin", "the paths under /v1/admin/routing"),
    "audit": _undeclared("audit", "GET /v1/audit/requests/{request_id}"),
    "idempotency_key": _undeclared("idempotency_key", "a repeated request is answered once"),
    "body_limit": _undeclared("body_limit", "a megabyte, and no byte more"),
    "timeout": _undeclared("timeout", "an engine that is silent is given up within its patience"),
}
