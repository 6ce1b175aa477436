"""The requests of the dialect `vllm-generate`: `POST /inference/v1/generate` and `POST /abort_requests`.

An optional member that is null has its default. What vLLM has beside these members is ignored.
"""

from typing import Annotated, Literal

from pydantic import Field

from rollout_conformance.contracts.rollout.wire import Integer, Number
from rollout_conformance.contracts.worker.wire_types import (
    AnySeed,
    Count,
    Flag,
    NotEmpty,
    OneOrMoreTexts,
    Penalty,
    Request,
    Samples,
    Share,
    TokenIds,
    default,
)

MOST_LOGPROBS = 20


class SamplingParams(Request):
    """`max_tokens` absent is what the context leaves; `logprobs` is how many alternatives a token is reported with."""

    n: Samples = 1
    max_tokens: Annotated[Integer, Field(ge=1)] | None = None
    temperature: Annotated[Number, Field(ge=0), default(1.0)] = 1.0
    top_p: Annotated[Number, Field(gt=0, le=1), default(1.0)] = 1.0
    top_k: Annotated[Integer, Field(ge=-1), default(0)] = 0
    min_p: Annotated[Share, default(0.0)] = 0.0
    repetition_penalty: Annotated[Number, Field(gt=0, le=2), default(1.0)] = 1.0
    frequency_penalty: Penalty = 0.0
    presence_penalty: Penalty = 0.0
    seed: AnySeed | None = None
    stop: OneOrMoreTexts = Field(default_factory=list)
    stop_token_ids: Annotated[list[Count], default([])] = Field(default_factory=list)
    ignore_eos: Flag = False
    min_tokens: Annotated[Count, default(0)] = 0
    logit_bias: Annotated[dict[Annotated[int, Field(ge=0)], Number], default({})] = Field(default_factory=dict)
    include_stop_str_in_output: Flag = False
    logprobs: Annotated[Count, Field(le=MOST_LOGPROBS)] | None = None
    prompt_logprobs: Annotated[Count, Field(le=MOST_LOGPROBS)] | None = None


class StreamOptions(Request):
    include_usage: Flag = False


class GenerateRequest(Request):
    request_id: NotEmpty | None = None
    token_ids: TokenIds
    sampling_params: Annotated[SamplingParams, default({})] = Field(default_factory=SamplingParams)
    output_mode: Annotated[Literal["tokens", "text"], default("tokens")] = "tokens"
    stream: Flag = False
    stream_options: StreamOptions | None = None


class AbortRequest(Request):
    request_ids: list[str]
