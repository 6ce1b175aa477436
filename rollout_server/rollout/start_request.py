"""A start request of any dialect, in one form.

The models of the contract have validated it. What is sent back to the trainer (messages, sampling) is kept unchanged,
not as a model would serialize it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from rollout_conformance.contracts.rollout import wire

Dialect = Literal["sync", "callback", "routed", "leased"]
Body = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class CallbackRoutes:
    """The callback URLs of a routed rollout, their key, and its other members; of a leased one only the latter. Times are in seconds."""

    completion: str
    grader: str | None
    key: str | None
    label: str | None
    agent_timeout_s: float | None
    grader_timeout_s: float | None
    extra: Mapping[str, Any]
    grade: bool = True


@dataclass(frozen=True, slots=True)
class StartRequest:
    dialect: Dialect
    rollout_id: str
    server_url: str
    messages: Sequence[Mapping[str, Any]]
    sampling: Mapping[str, Any]
    max_turns: int
    max_tokens_total: int
    metadata: Mapping[str, Any]
    api_key: str | None
    tokenizer_name: str = ""
    tokenizer_revision: str | None = None
    idempotency_key: str | None = None
    routes: CallbackRoutes | None = None

    @property
    def chat_url(self) -> str:
        return self.server_url + ("/chat/completions" if self.routes else "/v1/chat/completions")


def from_sync(body: Body) -> StartRequest:
    request = wire.RolloutRequest.model_validate(body)
    return StartRequest(
        dialect="sync",
        sampling=body["sampling_params"],
        api_key=request.callback_api_key,
        tokenizer_name=request.tokenizer_name,
        tokenizer_revision=request.tokenizer_revision,
        **_common(request, body),
    )


def from_callback(body: Body) -> StartRequest:
    request = wire.InitRequest.model_validate(body)
    return StartRequest(
        dialect="callback",
        sampling=body["completion_params"],
        api_key=request.api_key,
        idempotency_key=request.idempotency_key,
        **_common(request, body),
    )


def _common(request: wire.RolloutRequest | wire.InitRequest, body: Body) -> dict[str, Any]:
    return {
        "rollout_id": request.rollout_id,
        "server_url": request.server_url,
        "messages": body["messages"],
        "max_turns": request.max_turns,
        "max_tokens_total": request.max_tokens_total,
        "metadata": request.metadata,
    }
