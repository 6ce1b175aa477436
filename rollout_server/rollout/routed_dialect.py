"""The routed dialect: identity in the URLs, and two reports at the end instead of one.

Here is only what the bodies look like; the rollout itself runs as in the other dialects.
"""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from rollout_conformance.contracts.rollout import wire_routed as wire
from rollout_conformance.rollout_server.rollout.results import Outcome, error_fields
from rollout_conformance.rollout_server.rollout.start_request import Routes, Start

MAX_TURNS, MAX_TOKENS_TOTAL = 100, 1_000_000  # the dialect has no limits of its own but the agent's time


@dataclass(frozen=True, slots=True)
class Report:
    """One body, one place, one key."""

    url: str
    key: str | None
    body: Mapping[str, Any]


def from_routed(body: Mapping[str, Any]) -> Start:
    """Raises `ValidationError` for a body that the contract forbids."""
    request = wire.RoutedRequest.model_validate(body)
    key = request.llm_api_key if request.llm_api_key is not None else request.controller_api_key
    return Start(
        dialect="routed",
        rollout_id=request.rollout_id or f"rollout-{secrets.token_hex(8)}",
        server_url=request.chat_completions_url,
        messages=body["initial_messages"],
        sampling={},
        max_turns=MAX_TURNS,
        max_tokens_total=MAX_TOKENS_TOTAL,
        metadata=request.metadata or {},
        api_key=key or None,
        routes=Routes(
            completion=request.completion_callback_url,
            grader=request.grader_callback_url,
            key=request.controller_api_key or None,
            label=request.label,
            agent_timeout_s=request.agent_timeout_sec,
            grader_timeout_s=request.grader_timeout_sec,
            extra=request.extra_fields or {},
        ),
    )


def is_routed(body: Any) -> bool:
    """Whether a body of `POST /rollout` is of this dialect: it says so by any member that the other one lacks."""
    return isinstance(body, Mapping) and any(
        name in body for name in ("initial_messages", "chat_completions_url", "completion_callback_url")
    )


def status_of(outcome: Outcome) -> Literal["success", "failure", "cancelled"]:
    if outcome.error is None:
        return "success"
    return "cancelled" if outcome.error.category == "cancelled" else "failure"


def completion(start: Start, outcome: Outcome) -> Report:
    assert start.routes is not None
    said: dict[str, Any] = {"rollout_id": start.rollout_id, "status": status_of(outcome)}
    extra = {**start.routes.extra, **outcome.extra, "finish_reason": outcome.finish_reason}
    if outcome.error is not None:
        said |= {"err_message": outcome.error.message, "err_category": outcome.error.category}
        extra |= error_fields(outcome.error)
    return Report(start.routes.completion, start.routes.key, {**said, "extra_fields": extra})


def grade(start: Start, outcome: Outcome) -> Report | None:
    """The sample with its reward; None when nobody asked for it or there is nothing to grade."""
    if start.routes is None or start.routes.grader is None or outcome.error is not None:
        return None
    sample = {
        "messages": outcome.messages,
        "label": start.routes.label,
        "remove_sample": False,
        "metrics": outcome.metrics,
        "extra_fields": dict(start.routes.extra),
    }
    reward = reward_of(outcome, start.routes.label)
    graded = {**sample, "reward": reward} if reward is not None else sample
    body = {"rollout_id": start.rollout_id, "status": "success", "sample": graded, "extra_fields": {}}
    return Report(start.routes.grader, start.routes.key, body)


def reward_of(outcome: Outcome, label: str | None) -> float | None:
    """1 when the last answer contains the label, 0 when not, None without a label."""
    if not label or not outcome.messages:
        return None
    content = outcome.messages[-1].get("content")
    return 1.0 if isinstance(content, str) and label in content else 0.0
