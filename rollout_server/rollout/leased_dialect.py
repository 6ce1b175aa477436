"""The bodies of the leased dialect: a lease at the start, and a result that is fetched with it."""

from collections.abc import Mapping
from typing import Any

from rollout_conformance.contracts.rollout import wire_leased as wire
from rollout_conformance.rollout_server.rollout import routed_dialect
from rollout_conformance.rollout_server.rollout.results import Result
from rollout_conformance.rollout_server.rollout.start_request import CallbackRoutes, StartRequest

NOT_LEASED = ("completion_callback_url", "grader_callback_url", "controller_api_key", "server_url")


def from_leased(body: Mapping[str, Any]) -> StartRequest:
    """Raises `ValidationError` for a body that the contract forbids."""
    request = wire.LeasedRequest.model_validate(body)
    return StartRequest(
        dialect="leased",
        rollout_id=request.rollout_id,
        server_url=request.chat_completions_url,
        messages=body["initial_messages"],
        sampling={},
        max_turns=routed_dialect.MAX_TURNS,
        max_tokens_total=routed_dialect.MAX_TOKENS_TOTAL,
        metadata=request.metadata or {},
        api_key=request.llm_api_key,
        routes=CallbackRoutes(
            completion="",
            grader=None,
            key=None,
            label=request.label,
            agent_timeout_s=request.agent_timeout_sec,
            grader_timeout_s=request.grader_timeout_sec,
            extra=request.extra_fields or {},
            grade=request.grade is not False,
        ),
    )


def is_leased(body: object) -> bool:
    """Whether a body of `POST /rollout` is of this dialect: a URL for generations, and no member of a dialect that reports by callbacks."""
    return isinstance(body, Mapping) and "chat_completions_url" in body and not any(name in body for name in NOT_LEASED)


def lease_body(start: StartRequest, token: str, result_wait_s: float, lease_s: float) -> dict[str, Any]:
    return {
        "rollout_id": start.rollout_id,
        "status": "queued",
        "polling_lease_token": token,
        "result_wait_timeout_sec": result_wait_s,
        "polling_lease_timeout_sec": lease_s,
    }


def result_body(start: StartRequest, result: Result) -> dict[str, Any]:
    body: dict[str, Any] = {"rollout_id": start.rollout_id, "status": routed_dialect.status_of(result)}
    if result.error is not None:
        return body | {"err_message": result.error.message, "err_category": result.error.category}
    return body | {"sample": sample(start, result)}


def sample(start: StartRequest, result: Result) -> dict[str, Any]:
    """The conversation, with its reward where it is graded."""
    assert start.routes is not None
    shown = {
        "messages": result.messages,
        "label": start.routes.label,
        "remove_sample": False,
        "metrics": result.metrics,
        "extra_fields": {**start.routes.extra, "finish_reason": result.finish_reason},
    }
    reward = routed_dialect.reward_of(result, start.routes.label) if start.routes.grade else None
    return shown if reward is None else {**shown, "reward": reward}
