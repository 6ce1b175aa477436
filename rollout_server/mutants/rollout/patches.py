"""Patches that several mutants of this server share."""

import contextvars
import copy
from typing import Any

from rollout_conformance.rollout_server.mutants.framework import after, around
from rollout_conformance.rollout_server.rollout import (
    generation,
    results,
    trainer_client,
)


def change_request(change: Any) -> Any:
    """Change a generation request; `change` gets a copy, which it may modify."""
    return around(
        generation, "chat_body", lambda o, rollout, prompt: change(copy.deepcopy(dict(o(rollout, prompt))), rollout)
    )


def set_members(**members: Any) -> Any:
    return lambda body, rollout: {**body, **members}


newest_attempt = contextvars.ContextVar("attempt", default=1)  # the number of the latest attempt


def note_attempt(original: Any, headers: Any, attempt: int) -> Any:
    newest_attempt.set(attempt)
    return original(headers, attempt)


def after_retries(change: Any) -> Any:
    def patch() -> None:
        around(trainer_client, "attempt_headers", note_attempt)()
        around(generation, "send", change)()

    return patch


def change_result(change: Any) -> Any:
    """Change the body of the result."""
    return after(results, "body", lambda body: change(dict(body)))


def change_metrics(change: Any) -> Any:
    return change_result(lambda b: {**b, "metrics": change(dict(b["metrics"]))})


def behind_results(message: dict[str, Any]) -> Any:
    """Add a message behind the results of tools, before the next generation."""

    async def generate(original: Any, rollout: Any, app_state: Any) -> Any:
        if rollout.history and rollout.history[-1].get("role") == "tool":
            rollout.history = [*rollout.history, message]
        return await original(rollout, app_state)

    return around(generation, "generate", generate)
