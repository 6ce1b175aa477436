"""How a future is read: how often, and what its states mean. Decides, and waits for nothing."""

from typing import Any

from rollout_conformance.rollout_server.training.client.calls import Call, T
from rollout_conformance.rollout_server.training.client.errors import CallFailed, ServerError
from rollout_conformance.rollout_server.training.client.results import FutureState

FIRST_S, LONGEST_S = 0.02, 1.0


def pause(polls: int) -> float:
    """Seconds after so many polls."""
    return float(min(FIRST_S * 1.5 ** min(polls, 20), LONGEST_S))


def is_pending(state: FutureState) -> bool:
    return state.status == "pending"


def result(call: Call[T], state: FutureState) -> T:
    """Of a future that is not pending. Raises `CallFailed`, `ServerError`."""
    if state.status != "completed":
        raise CallFailed(state.error or f"The future is {state.status}")
    value: dict[str, Any] | None = state.result
    try:
        return call.read(value)
    except (ValueError, KeyError, TypeError) as error:
        raise ServerError(f"The result of the future cannot be read: {error}") from error
