"""Defects of what passes through: members lost on the way there or back, and errors that say too much or the wrong thing."""

from typing import Any

from starlette.responses import PlainTextResponse, Response

from rollout_conformance.rollout_server.mutants.framework import after, around, put
from rollout_conformance.rollout_server.mutants.router.planting import answering, mutant
from rollout_conformance.rollout_server.router import app, errors, failover, response_headers, routing, service
from rollout_conformance.rollout_server.router.backend_client import Upstream
from rollout_conformance.rollout_server.router.errors import RouterError

KNOWN = {"model", "messages", "prompt", "max_tokens", "temperature", "stream", "stream_options"}
ANSWERED = {"id", "object", "created", "model", "choices", "usage"}


def _known(original: Any, body: dict[str, Any]) -> bytes:
    return bytes(original({name: value for name, value in body.items() if name in KNOWN}))


def _truthy(original: Any, body: dict[str, Any]) -> bytes:
    return bytes(original({name: value for name, value in body.items() if value or value is None}))


def _typed(answer: dict[str, Any]) -> dict[str, Any]:
    choices = [
        {**c, "message": _plain_message(c["message"])} if "message" in c else c for c in answer.get("choices", [])
    ]
    return {name: choices if name == "choices" else value for name, value in answer.items() if name in ANSWERED}


def _plain_message(message: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in message.items() if name in ("role", "content")}


def _halved(answer: dict[str, Any]) -> dict[str, Any]:
    usage = answer.get("usage") or {}
    return {**answer, "usage": {**usage, "total_tokens": usage.get("total_tokens", 0) // 2}}


def _twice(answer: dict[str, Any]) -> dict[str, Any]:
    return {**answer, "choices": [*answer["choices"], *answer["choices"]]}


async def _told(original: Any, run: Any, found: Any, *arguments: Any) -> Any:
    try:
        return await original(run, found, *arguments)
    except RouterError as error:
        error.message = f"POST {found[0].backend.spec.url} failed: {error.message}"
        raise


def _text(error: RouterError, request_id: str | None = None) -> Response:
    return PlainTextResponse(error.message, error.status, error.headers)


def _plain() -> None:
    put(app, "refused", _text)()
    put(response_headers, "refused", _text)()


def _flat(error: RouterError, request_id: str | None = None) -> dict[str, Any]:
    return {"error": error.message, "code": error.code}


def _internal(failures: Any) -> RouterError:
    return errors.internal()


def _patient(original: Any, self: Upstream, timeout_s: float, connect_timeout_s: float) -> None:
    original(self, timeout_s + 3600, connect_timeout_s)


def _known_of_prompts(original: Any, body: dict[str, Any]) -> bytes:
    return bytes(original({n: v for n, v in body.items() if n in KNOWN or "prompt" not in body}))


def _always_502(failures: Any) -> RouterError:
    return RouterError(502, "backend_error", "The backends of this model failed")


MUTANTS = (
    mutant(
        "drops_unknown_fields",
        "only some members reach the backend",
        around(failover, "payload", _known),
        "001",
        ("036", "048"),
    ),
    mutant(
        "drops_zero_values",
        "0, false and empty members are lost",
        around(failover, "payload", _truthy),
        "001",
        ("048",),
    ),
    mutant(
        "prompts_lose_members",
        "of plain completions only some members reach the backend",
        around(failover, "payload", _known_of_prompts),
        "048",
    ),
    mutant("drops_response_fields", "only some members come back", answering(_typed), "002", ("048",)),
    mutant("model_renamed", "the answer names another model", answering(lambda a: {**a, "model": "router"}), "002"),
    mutant("choices_doubled", "two choices instead of one", answering(_twice), "002", ("048",)),
    mutant("usage_sum_off", "total_tokens is no sum", answering(_halved), "002"),
    mutant(
        "no_routing_headers",
        "nobody learns which backend it was",
        put(service, "headers", lambda _: {}),
        "018",
        ("054", "061"),
    ),
    mutant(
        "backend_4xx_as_502",
        "what the client did wrong is told as a failure of the backends",
        put(routing, "is_failure", lambda status: status >= 300),
        "004",
        ("048", "054"),
    ),
    mutant("error_shows_backend", "errors tell where the backend is", around(failover, "open_first", _told), "009"),
    mutant("error_plain_text", "errors are text", _plain, "012", ("*",)),
    mutant("error_flat", "errors are not in the envelope", put(errors, "envelope", _flat), "012", ("*",)),
    mutant(
        "unserved_as_500",
        "failed engines are an error of the router",
        put(errors, "unserved", _internal),
        "005",
        ("006", "031", "059", "060"),
    ),
    mutant(
        "silence_waited_for",
        "a silent engine is never given up",
        around(Upstream, "__init__", _patient),
        "006",
        ("060", "007"),
    ),
    mutant("timeout_as_502", "no difference between silence and failure", put(errors, "unserved", _always_502), "060"),
    mutant(
        "decision_always_primary",
        "a failover is called PRIMARY",
        after(routing, "choices", lambda found: [routing.Choice(one.backend, "PRIMARY") for one in found]),
        "061",
    ),
)
