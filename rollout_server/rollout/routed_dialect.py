"""The bodies of the routed dialect: URLs identify the rollout, and two reports end it instead of one.

The rollout itself runs as in the other dialects.
"""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from rollout_conformance.contracts.rollout import wire_routed as wire
from rollout_conformance.rollout_server.rollout.results import Result, error_fields
from rollout_conformance.rollout_server.rollout.start_request import CallbackRoutes, StartRequest

MAX_TURNS, MAX_TOKENS_TOTAL = 100, 1_000_000  # the only limit of this dialect is the agent's time


@dataclass(frozen=True, slots=True)
class Report:
    """One POST to the trainer."""

    url: str
    key: str | None
    body: Mapping[str, Any]


def random_id() -> str:
    return f"rollout-{secrets.token_hex(8)}"


def from_routed(body: Mapping[str, Any]) -> StartRequest:
    """Raises `ValidationError` for a body that the contract forbids."""
    request = wire.RoutedRequest.model_validate(body)
    key = request.llm_api_key if request.llm_api_key is not None else request.controller_api_key
    return StartRequest(
        dialect="routed",
        rollout_id=request.rollout_id or random_id(),
        server_url=request.chat_completions_url,
        messages=body["initial_messages"],
        sampling={},
        max_turns=MAX_TURNS,
        max_tokens_total=MAX_TOKENS_TOTAL,
        metadata=request.metadata or {},
        api_key=key or None,
        routes=CallbackRoutes(
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
    """Whether a body of `POST /rollout` is of this dialect: any member that the sync dialect lacks decides it."""
    return isinstance(body, Mapping) and any(
        name in body for name in ("initial_messages", "chat_completions_url", "completion_callback_url")
    )


def status_of(result: Result) -> Literal["success", "failure", "cancelled"]:
    if result.error is None:
        return "success"
    return "cancelled" if result.error.category == "cancelled" else "failure"


def completion(start: StartRequest, result: Result) -> Report:
    assert start.routes is not None
    body: dict[str, Any] = {"rollout_id": start.rollout_id, "status": status_of(result)}
    extra = {**start.routes.extra, **result.extra, "finish_reason": result.finish_reason}
    if result.error is not None:
        body |= {"err_message": result.error.message, "err_category": result.error.category}
        extra |= error_fields(result.error)
    return Report(start.routes.completion, start.routes.key, {**body, "extra_fields": extra})


def grade(start: StartRequest, result: Result) -> Report | None:
    """The sample with its reward; None when no grader was given or the rollout failed."""
    if start.routes is None or start.routes.grader is None or result.error is not None:
        return None
    sample = {
        "messages": result.messages,
        "label": start.routes.label,
        "remove_sample": False,
        "metrics": result.metrics,
        "extra_fields": dict(start.routes.extra),
    }
    reward = reward_of(result, start.routes.label)
    graded = {**sample, "reward": reward} if reward is not None else sample
    body = {"rollout_id": start.rollout_id, "status": "success", "sample": graded, "extra_fields": {}}
    return Report(start.routes.grader, start.routes.key, body)


def reward_of(result: Result, label: str | None) -> float | None:
    """1 when the last answer contains the label, 0 when not, None without a label."""
    if not label or not result.messages:
        return None
    content = result.messages[-1].get("content")
    return 1.0 if isinstance(content, str) and label in content else 0.0
