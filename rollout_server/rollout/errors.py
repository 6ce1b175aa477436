"""Why a rollout failed: one category for programs, one sentence for people.

Text from a library, a traceback or the trainer never becomes part of the sentence.
"""

from typing import Literal

Category = Literal[
    "tokenizer_error",
    "conversation_state",
    "invalid_reply",
    "rate_limited",
    "trainer_server_error",
    "trainer_client_error",
    "trainer_error",
    "network_error",
    "timeout",
    "tool_error",
    "shutdown",
    "cancelled",
    "lease_expired",
    "internal_error",
]


class RolloutError(Exception):
    """Ends a rollout with the status ERROR."""

    def __init__(self, category: Category, message: str, http_status: int | None = None) -> None:
        super().__init__(message)
        self.category = category
        self.message = message
        self.http_status = http_status


def category_of(status: int) -> Category:
    if status == 429:
        return "rate_limited"
    if 500 <= status < 600:
        return "trainer_server_error"
    return "trainer_client_error" if 400 <= status < 500 else "trainer_error"


_REASONS: dict[Category, str] = {
    "rate_limited": "the trainer is rate limiting",
    "trainer_server_error": "the trainer failed",
    "trainer_client_error": "the trainer refused the request",
}


def from_status(status: int) -> RolloutError:
    category = category_of(status)
    reason = _REASONS.get(category, "expected 200")
    return RolloutError(category, f"Trainer HTTP error: {status} ({reason})", status)


def network() -> RolloutError:
    return RolloutError("network_error", "Network error: the connection to the trainer failed")


def generation_timeout(seconds: float) -> RolloutError:
    return RolloutError("timeout", f"The trainer did not answer within {seconds:g} s")


def rollout_timeout(seconds: float) -> RolloutError:
    return RolloutError("timeout", f"Rollout timeout exceeded ({seconds:g} s)")


def invalid_reply(what: str) -> RolloutError:
    return RolloutError("invalid_reply", f"The trainer's reply cannot be used: {what}")


def conversation(what: str) -> RolloutError:
    return RolloutError("conversation_state", f"Invalid conversation state: {what}")


def tokenizer(name: str) -> RolloutError:
    return RolloutError("tokenizer_error", f"Failed to load tokenizer: {name}")


def tools_failed() -> RolloutError:
    return RolloutError("tool_error", "Failed to execute the tools of a turn")


def shutdown() -> RolloutError:
    return RolloutError("shutdown", "The rollout server shut down before the rollout ended")


def cancelled() -> RolloutError:
    return RolloutError("cancelled", "The rollout was cancelled")


def lease_expired() -> RolloutError:
    return RolloutError("lease_expired", "The lease expired before the result was requested again")


def internal() -> RolloutError:
    return RolloutError("internal_error", "Internal server error")
