"""What a rollout has come to: its running tally, and the one result that is reported in the end."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from rollout_conformance.rollout_server.rollout.errors import RolloutError
from rollout_conformance.rollout_server.rollout.start_request import Start

Messages = Sequence[Mapping[str, Any]]


@dataclass(slots=True)
class Tally:
    """The metrics of a rollout while it runs. Time in the queue is nobody's latency and does not count."""

    began: float = field(default_factory=time.perf_counter)
    llm_s: float = 0.0
    tool_s: float = 0.0
    llm_calls: int = 0
    tool_calls: int = 0
    prompt_tokens: int = 0
    response_tokens: int = 0
    longest_prompt: int = 0
    last_context: int = 0

    def count_reply(self, prompt: int, response: int) -> None:
        self.llm_calls += 1
        self.prompt_tokens += prompt
        self.response_tokens += response
        self.longest_prompt = max(self.longest_prompt, prompt)
        self.last_context = prompt + response

    def max_context(self) -> int:
        """The longest context that the policy is known to have had; the last one includes its reply."""
        return max(self.longest_prompt, self.last_context)

    def report(self) -> dict[str, Any]:
        return {
            "total_latency_ms": milliseconds(time.perf_counter() - self.began),
            "llm_latency_ms": milliseconds(self.llm_s),
            "tool_latency_ms": milliseconds(self.tool_s),
            "num_llm_calls": self.llm_calls,
            "num_tool_calls": self.tool_calls,
            "prompt_tokens": self.prompt_tokens,
            "response_tokens": self.response_tokens,
            "max_context_tokens": self.max_context(),
        }


def milliseconds(seconds: float) -> float:
    return round(seconds * 1000, 3)


@dataclass(frozen=True, slots=True)
class Outcome:
    """The terminal result. There is one for each rollout, and it never changes."""

    rollout_id: str
    finish_reason: str
    messages: Messages
    metrics: Mapping[str, Any]
    error: RolloutError | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)

    @property
    def status(self) -> Literal["COMPLETED", "ERROR"]:
        return "ERROR" if self.error else "COMPLETED"


def completed(start: Start, messages: Messages, tally: Tally, reason: str, extra: Mapping[str, Any]) -> Outcome:
    return Outcome(start.rollout_id, reason, tuple(messages), tally.report(), extra=dict(extra))


def failed(start: Start, messages: Messages, tally: Tally, error: RolloutError, extra: Mapping[str, Any]) -> Outcome:
    """The transcript up to the failure is kept: it says where things went wrong."""
    return Outcome(start.rollout_id, "error", tuple(messages), tally.report(), error, dict(extra) | error_fields(error))


def error_fields(error: RolloutError) -> dict[str, Any]:
    fields: dict[str, Any] = {"error_category": error.category}
    return fields if error.http_status is None else fields | {"http_status": error.http_status}


def body(outcome: Outcome) -> dict[str, Any]:
    """The result as it is written in both dialects; what does not apply is left out."""
    said = {"error_message": outcome.error.message} if outcome.error else {}
    return {
        "rollout_id": outcome.rollout_id,
        "status": outcome.status,
        "final_messages": outcome.messages,
        "finish_reason": outcome.finish_reason,
        **said,
        "metrics": outcome.metrics,
        "extra_fields": outcome.extra,
    }
