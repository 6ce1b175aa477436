"""The requests of the control API of a trainer and of its two callbacks as pydantic models, as the reference trainer validates them.

The models follow openapi.yaml. The parts that both ends of the rollout protocol share are in contracts/rollout/wire.py. This module does
no I/O, and any module may import it.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from rollout_conformance.contracts.rollout.wire import (
    CompletedRequest,
    CompletionParams,
    Integer,
    MaskedChatRequest,
    MaxTokensTotal,
    MaxTurns,
    Messages,
    Number,
    Object,
    RolloutId,
    ServerUrl,
)

MAX_TIMEOUT_S = 86_400  # one day


def _not_zero(value: Any) -> Any:
    """Reject 0: Python reads it as False, JSON as a number."""
    if value == 0 and value is not False:
        raise ValueError("must be false")
    return value


Dialect = Literal["sync", "callback"]
NoStream = Annotated[Literal[False] | None, BeforeValidator(_not_zero)]
Timeout = Annotated[Number, Field(gt=0, le=MAX_TIMEOUT_S)]


class StartRequest(BaseModel):
    """`POST /rollouts`: start one rollout at a rollout server. `timeout_s` is in seconds."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    dialect: Dialect
    server_url: ServerUrl
    messages: Messages
    rollout_id: RolloutId | None = None
    sampling_params: CompletionParams | None = None
    max_turns: MaxTurns | None = None
    max_tokens_total: MaxTokensTotal | None = None
    metadata: Object | None = None
    timeout_s: Timeout | None = None


class ChatRequest(MaskedChatRequest):
    """`POST /v1/chat/completions` of both dialects. Only the sync dialect uses the response mask."""

    max_tokens: Annotated[Integer, Field(ge=1)] = 512
    stream: NoStream = None
    n: Annotated[Integer, Field(ge=1, le=1)] | None = None


class Completed(CompletedRequest):
    """`POST /v1/rollout/completed`."""
