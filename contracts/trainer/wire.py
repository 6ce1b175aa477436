"""The messages of a trainer's control API and of its two callbacks, as the reference trainer reads them.

What both ends of the rollout protocol share stands in contracts/rollout/wire.py. Source of the shapes: openapi.yaml. This module does
no I/O, and anybody may import it.
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

MAX_TIMEOUT_S = 86_400  # a day; a rollout that takes longer is lost


def _not_zero(value: Any) -> Any:
    """To Python 0 is False; to JSON it is a number."""
    if value == 0 and value is not False:
        raise ValueError("must be false")
    return value


Dialect = Literal["sync", "callback"]
NoStream = Annotated[Literal[False] | None, BeforeValidator(_not_zero)]
Timeout = Annotated[Number, Field(gt=0, le=MAX_TIMEOUT_S)]


class StartRequest(BaseModel):
    """`POST /rollouts`: run one rollout at a rollout server. `timeout_s` is in seconds."""

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
    """`POST /v1/chat/completions` of both dialects; only the sync dialect has a use for the mask."""

    max_tokens: Annotated[Integer, Field(ge=1)] = 512
    stream: NoStream = None
    n: Annotated[Integer, Field(ge=1, le=1)] | None = None


class Completed(CompletedRequest):
    """`POST /v1/rollout/completed`."""
