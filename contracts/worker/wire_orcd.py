"""The messages of the dialect `orcd` as pydantic models: the request of a job, the events of its stream, errors.

An integer may be written 12.0, as JSON Schema allows, but never "12" or true. An optional member that is null has its default. Unknown
members of a request are ignored. This module does no I/O, and any module may import it.
"""

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from rollout_conformance.contracts.rollout.wire import Integer, Number
from rollout_conformance.contracts.worker.wire_types import (
    LARGEST_SEED,
    Count,
    Flag,
    NotEmpty,
    Request,
    Seed,
    Share,
    Text,
    default,
)

LONGEST_PROMPT = 32_768  # characters, by code point
MOST_TOKENS = 2048
MOST_STOPS = 4
LONGEST_STOP = 100  # bytes of UTF-8
HOTTEST = 2.0

ErrorCode = Literal[
    "INVALID_REQUEST",
    "DUPLICATE_JOB",
    "QUEUE_FULL",
    "WORKER_UNHEALTHY",
    "VRAM_OOM",
    "INFERENCE_TIMEOUT",
    "INFERENCE_FAILED",
    "CANCELLED",
    "INTERNAL",
]
StopReason = Literal["max_tokens", "stop_sequence", "eos"]

# What a violation of a member is named in `errors[].constraint`.
CONSTRAINTS = {
    "job_id": "non_empty",
    "prompt": f"length(1..={LONGEST_PROMPT})",
    "max_tokens": f"range(1..={MOST_TOKENS})",
    "temperature": f"range(0.0..={HOTTEST})",
    "top_p": "range(0.0..=1.0)",
    "top_k": "range(0..=vocab_size)",
    "repetition_penalty": f"range(0.0..={HOTTEST})",
    "min_p": "range(0.0..=1.0)",
    "stop": f"max_count({MOST_STOPS})",
    "seed": f"range(0..={LARGEST_SEED})",
}


def _of_bytes(value: str) -> str:
    if len(value.encode()) > LONGEST_STOP:
        raise ValueError(f"must have at most {LONGEST_STOP} bytes of UTF-8")
    return value


Stop = Annotated[NotEmpty, AfterValidator(_of_bytes)]


class ExecuteRequest(Request):
    """`POST /execute`. `logprobs` and `ignore_eos` are members of the reference worker's own."""

    job_id: NotEmpty
    prompt: Annotated[NotEmpty, Field(max_length=LONGEST_PROMPT)]
    max_tokens: Annotated[Integer, Field(ge=1, le=MOST_TOKENS), default(MOST_TOKENS)] = MOST_TOKENS
    temperature: Annotated[Number, Field(ge=0, le=HOTTEST), default(1.0)] = 1.0
    top_p: Annotated[Share, default(1.0)] = 1.0
    top_k: Annotated[Count, default(0)] = 0
    repetition_penalty: Annotated[Number, Field(ge=0, le=HOTTEST), default(1.0)] = 1.0
    min_p: Annotated[Share, default(0.0)] = 0.0
    stop: Annotated[list[Stop], Field(max_length=MOST_STOPS), default([])] = Field(default_factory=list)
    seed: Seed | None = None
    logprobs: Flag = False
    ignore_eos: Flag = False


class CancelRequest(Request):
    """`POST /cancel`."""

    job_id: NotEmpty


class _Event(BaseModel):
    model_config = ConfigDict(extra="allow", frozen=True)


class Started(_Event):
    type: Literal["started"]
    job_id: NotEmpty
    model: NotEmpty
    started_at: NotEmpty
    seed: Seed


class Token(_Event):
    """`t` is empty while bytes of a character or a part of a stop text are held back."""

    type: Literal["token"]
    t: Text
    i: Count
    id: Count
    logprob: Annotated[Number, Field(le=0)] | None = None


class Metrics(_Event):
    type: Literal["metrics"]
    tokens_per_sec: Annotated[Number, Field(ge=0)]
    vram_bytes: Count


class End(_Event):
    type: Literal["end"]
    tokens_out: Count
    decode_time_ms: Annotated[Number, Field(ge=0)]
    stop_reason: StopReason
    stop_sequence_matched: NotEmpty | None = None


class Error(_Event):
    """The last event of a job that failed, and the body of a response with a 4xx or 5xx status."""

    type: Literal["error"] = "error"
    code: ErrorCode
    message: NotEmpty
    retriable: bool
