"""Sampling from the model, token by token, with the logprobs of what was sampled.

A logprob is that of the distribution after temperature, before top_k and top_p cut it. At temperature 0 the most probable token is taken, and its
logprob is the one at temperature 1.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from rollout_conformance.rollout_server.training import passes
from rollout_conformance.rollout_server.training.base_model import WINDOW, BaseModel, Floats

Decode = Callable[[Sequence[int]], str]


@dataclass(frozen=True, slots=True)
class Sampling:
    """`stop_tokens` and `stop_texts` both end a sequence, and are part of it."""

    max_tokens: int
    seed: int
    temperature: float = 1.0
    top_k: int = -1
    top_p: float = 1.0
    stop_tokens: frozenset[int] = frozenset()
    stop_texts: tuple[str, ...] = ()


@dataclass(slots=True)
class Sampled:
    tokens: list[int] = field(default_factory=list)
    logprobs: list[float] = field(default_factory=list)
    stop_reason: str = "length"


def next_log_probabilities(base: BaseModel, unembedding: Floats, tokens: Sequence[int], temperature: float) -> Floats:
    """[VOCABULARY], after the last of `tokens`."""
    hidden = base.hidden(np.asarray(tokens[-WINDOW:], np.int64))[-1]
    logits = unembedding @ hidden
    result: Floats = passes.log_softmax(logits[None, :] / (temperature or 1.0))[0]
    return result


def choose(log_probabilities: Floats, sampling: Sampling, random: np.random.Generator) -> int:
    if sampling.temperature == 0 or sampling.top_k == 1:
        return int(log_probabilities.argmax())
    if sampling.top_k <= 0 and sampling.top_p >= 1:
        return drawn(np.exp(log_probabilities), random)
    order = np.argsort(-log_probabilities, kind="stable")
    if sampling.top_k > 0:
        order = order[: sampling.top_k]
    probabilities = np.exp(log_probabilities[order])
    probabilities /= probabilities.sum()
    before = np.cumsum(probabilities) - probabilities
    kept = order[before < sampling.top_p]
    return int(kept[drawn(probabilities[: len(kept)], random)])


def drawn(probabilities: Floats, random: np.random.Generator) -> int:
    sums = np.cumsum(probabilities)
    return int(min(np.searchsorted(sums, random.random() * sums[-1], side="right"), len(sums) - 1))


def sample(
    base: BaseModel, unembedding: Floats, prompt: Sequence[int], sampling: Sampling, nth: int, decode: Decode
) -> Sampled:
    """The `nth` sequence of a request. The same seed gives the same sequences, whatever else the server does."""
    random = np.random.default_rng([sampling.seed, nth])
    tokens, result = list(prompt), Sampled()
    while len(result.tokens) < sampling.max_tokens:
        log_probabilities = next_log_probabilities(base, unembedding, tokens, sampling.temperature)
        token = choose(log_probabilities, sampling, random)
        tokens.append(token)
        result.tokens.append(token)
        result.logprobs.append(float(np.float32(log_probabilities[token])))
        if stops(result.tokens, sampling, decode):
            result.stop_reason = "stop"
            break
    return result


def stops(tokens: Sequence[int], sampling: Sampling, decode: Decode) -> bool:
    if tokens[-1] in sampling.stop_tokens:
        return True
    if not sampling.stop_texts:
        return False
    # A stop text has at most as many tokens as bytes, so the end of the sequence is enough.
    longest = max(len(text.encode()) for text in sampling.stop_texts)
    return any(text in decode(tokens[-longest:]) for text in sampling.stop_texts)


def prompt_logprobs(base: BaseModel, unembedding: Floats, prompt: Sequence[int]) -> Floats:
    """[T-1, VOCABULARY]: the log probabilities after each token of the prompt but the last."""
    hidden = base.hidden(np.asarray(prompt, np.int64))[:-1]
    return passes.log_softmax(hidden @ unembedding.T)


def top(log_probabilities: Floats, k: int) -> list[tuple[int, float]]:
    order = np.argsort(-log_probabilities, kind="stable")[:k]
    return [(int(token), float(np.float32(log_probabilities[token]))) for token in order]
