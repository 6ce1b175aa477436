"""The counters of a running rollout, and the one result that is reported at its end."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from rollout_conformance.rollout_server.rollout.errors import RolloutError
from rollout_conformance.rollout_server.rollout.start_request import StartRequest

Messages = Sequence[Mapping[str, Any]]


@dataclass(slots=True)
class Counters:
    """The metrics of a rollout while it runs. Time in the queue is not included."""

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
        """The longest context of the policy; of the last one the reply is included."""
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
class Result:
    """The terminal result: one for each rollout, never changed."""

    rollout_id: str
    finish_reason: str
    messages: Messages
    metrics: Mapping[str, Any]
    error: RolloutError | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)

    @property
    def status(self) -> Literal["COMPLETED", "ERROR"]:
        return "ERROR" if self.error else "COMPLETED"


def completed(
    start: StartRequest, messages: Messages, counters: Counters, reason: str, extra: Mapping[str, Any]
) -> Result:
    return Result(start.rollout_id, reason, tuple(messages), counters.report(), extra=dict(extra))


def failed(
    start: StartRequest, messages: Messages, counters: Counters, error: RolloutError, extra: Mapping[str, Any]
) -> Result:
    """The transcript up to the failure is kept: it shows what led to it."""
    return Result(
        start.rollout_id, "error", tuple(messages), counters.report(), error, dict(extra) | error_fields(error)
    )


def error_fields(error: RolloutError) -> dict[str, Any]:
    fields: dict[str, Any] = {"error_category": error.category}
    return fields if error.http_status is None else fields | {"http_status": error.http_status}


def body(result: Result) -> dict[str, Any]:
    """The body of the result in the sync and callback dialects; members that do not apply are left out."""
    message = {"error_message": result.error.message} if result.error else {}
    return {
        "rollout_id": result.rollout_id,
        "status": result.status,
        "final_messages": result.messages,
        "finish_reason": result.finish_reason,
        **message,
        "metrics": result.metrics,
        "extra_fields": result.extra,
    }
