"""The requests of the dialect `sglang`: `POST /generate` and `POST /abort_request`.

An optional member that is null has its default. Batches (lists of prompts) are not part of the dialect here.
"""

from typing import Annotated

from pydantic import Field, model_validator

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

USUAL_TOKENS = 128
MOST_ALTERNATIVES = 100


class SamplingParams(Request):
    n: Samples = 1
    max_new_tokens: Annotated[Integer, Field(ge=1), default(USUAL_TOKENS)] = USUAL_TOKENS
    min_new_tokens: Annotated[Count, default(0)] = 0
    temperature: Annotated[Number, Field(ge=0), default(1.0)] = 1.0
    top_p: Annotated[Number, Field(gt=0, le=1), default(1.0)] = 1.0
    top_k: Annotated[Integer, Field(ge=-1), default(-1)] = -1
    min_p: Annotated[Share, default(0.0)] = 0.0
    repetition_penalty: Annotated[Number, Field(gt=0, le=2), default(1.0)] = 1.0
    frequency_penalty: Penalty = 0.0
    presence_penalty: Penalty = 0.0
    sampling_seed: AnySeed | None = None
    stop: OneOrMoreTexts = Field(default_factory=list)
    stop_token_ids: Annotated[list[Count], default([])] = Field(default_factory=list)
    ignore_eos: Flag = False
    no_stop_trim: Flag = False
    regex: str | None = None
    ebnf: str | None = None
    json_schema: str | None = None


class GenerateRequest(Request):
    """A prompt is `text` or `input_ids`. `logprob_start_len` is the first token of it whose log probability is returned, -1 for none."""

    rid: NotEmpty | None = None
    text: NotEmpty | None = None
    input_ids: TokenIds | None = None
    sampling_params: Annotated[SamplingParams, default({})] = Field(default_factory=SamplingParams)
    return_logprob: Flag = False
    logprob_start_len: Annotated[Integer, Field(ge=-1), default(-1)] = -1
    top_logprobs_num: Annotated[Count, Field(le=MOST_ALTERNATIVES), default(0)] = 0
    stream: Flag = False

    @model_validator(mode="after")
    def _one_prompt(self) -> "GenerateRequest":
        if (self.text is None) == (self.input_ids is None):
            raise ValueError("needs either text or input_ids")
        return self


class AbortRequest(Request):
    rid: str | None = None
    abort_all: Flag = False
