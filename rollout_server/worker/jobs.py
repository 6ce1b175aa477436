"""What a worker does, without a wire format: a job, and the events of its stream.

`Started Token* (Ended | Failed)`; each dialect writes these events in its own words.
"""

from dataclasses import dataclass, field
from typing import Literal

EndReason = Literal["max_tokens", "stop_sequence", "eos"]
FailureCode = Literal["CANCELLED", "INFERENCE_TIMEOUT", "VRAM_OOM", "INFERENCE_FAILED", "WORKER_UNHEALTHY", "INTERNAL"]


@dataclass(frozen=True, slots=True)
class Sampling:
    """How the next token is chosen. `top_k` 0 and `top_p` 1 restrict nothing; temperature 0 takes the likeliest token.
    `bias` is added to the logits of some tokens."""

    seed: int
    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int = 0
    min_p: float = 0.0
    repetition_penalty: float = 1.0
    frequency_penalty: float = 0.0
    presence_penalty: float = 0.0
    bias: tuple[tuple[int, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Job:
    """`alternatives` is how many of the likeliest tokens are reported beside each sampled one."""

    id: str
    prompt: tuple[int, ...]
    max_tokens: int
    sampling: Sampling
    stop: tuple[str, ...] = ()
    stop_ids: frozenset[int] = frozenset()
    ignore_eos: bool = False
    keep_stop: bool = False  # the text ends with the stop text instead of before it
    keep_invalid: bool = False  # bytes that are no UTF-8 are U+FFFD in the text instead of nothing
    score_prompt: bool = False
    alternatives: int = 0
    prompt_alternatives: int = 0
    choices: tuple[str, ...] = ()  # the texts that a grammar permits; empty: all
    min_tokens: int = 0  # before so many, neither the end of the text nor a stop token is sampled


@dataclass(frozen=True, slots=True)
class Scored:
    """A token and its log probability under the model, whatever the sampling parameters. `rank` 1 is the likeliest."""

    id: int
    logprob: float
    rank: int


Ranking = tuple[Scored, tuple[Scored, ...]]  # a token, and the likeliest tokens of its position


@dataclass(frozen=True, slots=True)
class Prefilled:
    """The prompt has been read. `scores` has an entry for each of its tokens but the first, if the job asked for them."""

    scores: tuple[Ranking, ...] = ()


@dataclass(frozen=True, slots=True)
class Ended:
    """`matched` is the stop text, `stop_id` the stop token that ended the job."""

    reason: EndReason
    tokens_out: int
    seconds: float
    matched: str | None = None
    stop_id: int | None = None


@dataclass(frozen=True, slots=True)
class Token:
    """Token number `i` from 0. `text` is what it adds to the visible text, "" while characters are held back. The last token
    has the end of the job that follows it, for dialects that write both in one event."""

    i: int
    scored: Scored
    text: str
    top: tuple[Scored, ...] = ()
    is_special: bool = False
    end: Ended | None = None


@dataclass(frozen=True, slots=True)
class Failed:
    code: FailureCode
    message: str
    tokens_out: int = 0
    retriable: bool = field(default=False)


Event = Prefilled | Token | Ended | Failed
