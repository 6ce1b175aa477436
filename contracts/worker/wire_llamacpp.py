"""The request of the dialect `llamacpp`: `POST /completion`.

`n_predict` -1 is what the context leaves, `seed` -1 a generated one; a bias of false excludes a token.
An optional member that is null has its default.
"""

from typing import Annotated, Any

from pydantic import Field

from rollout_conformance.contracts.rollout.wire import Integer, Number
from rollout_conformance.contracts.worker.wire_types import (
    AnySeed,
    Count,
    Flag,
    NotEmpty,
    OneOrMoreTexts,
    Request,
    Samples,
    default,
)

MOST_ALTERNATIVES = 100

Part = Count | NotEmpty
Bias = tuple[Count, Annotated[bool, Field(strict=True)] | Number]


class CompletionRequest(Request):
    """A prompt is a text, or a list of token ids and texts."""

    prompt: NotEmpty | Annotated[list[Part], Field(min_length=1)]
    n_predict: Annotated[Integer, Field(ge=-1), default(-1)] = -1
    temperature: Annotated[Number, default(0.8)] = 0.8
    top_k: Annotated[Integer, default(40)] = 40
    top_p: Annotated[Number, default(0.95)] = 0.95
    min_p: Annotated[Number, default(0.05)] = 0.05
    repeat_penalty: Annotated[Number, Field(gt=0), default(1.0)] = 1.0
    frequency_penalty: Annotated[Number, default(0.0)] = 0.0
    presence_penalty: Annotated[Number, default(0.0)] = 0.0
    n_cmpl: Samples = 1
    seed: Annotated[AnySeed, default(-1)] = -1
    stop: OneOrMoreTexts = Field(default_factory=list)
    ignore_eos: Flag = False
    logit_bias: Annotated[list[Bias], default([])] = Field(default_factory=list)
    stream: Flag = False
    grammar: Annotated[str, default("")] = ""
    json_schema: dict[str, Any] | None = None
    n_probs: Annotated[Count, Field(le=MOST_ALTERNATIVES), default(0)] = 0
    return_tokens: Flag = False
    cache_prompt: Annotated[bool, Field(strict=True), default(True)] = True
