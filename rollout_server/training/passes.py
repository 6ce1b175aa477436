"""The forward and backward passes of one sequence, in closed form."""

from dataclasses import dataclass

import numpy as np

from rollout_conformance.rollout_server.training.base_model import BaseModel, Floats, Ints


@dataclass(frozen=True, slots=True)
class Pass:
    """One sequence: `targets` and `logprobs` are [T, K], `hidden` [T, WIDTH]; the probabilities are
    `exponentials` [T, VOCABULARY] divided by `sums` [T, 1]."""

    targets: Ints
    hidden: Floats
    exponentials: Floats
    sums: Floats
    logprobs: Floats


def log_softmax(logits: Floats) -> Floats:
    """By row. Overwrites its argument."""
    logits -= logits.max(axis=-1, keepdims=True)
    logits -= np.log(np.exp(logits).sum(axis=-1, keepdims=True))
    return logits


def forward(base: BaseModel, unembedding: Floats, tokens: Ints, targets: Ints) -> Pass:
    hidden = base.hidden(tokens)
    return from_logits(hidden @ unembedding.T, hidden, targets)


def forward_with_dropout(
    base: BaseModel, unembedding: Floats, tokens: Ints, targets: Ints, rate: float, random: np.random.Generator
) -> Pass:
    """The input of the adapter, and only that, loses each component with probability `rate`; the others are scaled up."""
    hidden = base.hidden(tokens)
    dropped = hidden * (random.random(hidden.shape) >= rate) / (1.0 - rate)
    logits = hidden @ base.unembedding.T + dropped @ (unembedding - base.unembedding).T
    return from_logits(logits, dropped, targets)


def from_logits(logits: Floats, hidden: Floats, targets: Ints) -> Pass:
    """Overwrites `logits`. `hidden` is the input of the adapter."""
    logits -= logits.max(axis=1, keepdims=True)
    chosen = np.take_along_axis(logits, targets, axis=1)
    exponentials = np.exp(logits, out=logits)
    sums = exponentials.sum(axis=1, keepdims=True)
    return Pass(targets, hidden, exponentials, sums, chosen - np.log(sums))


def backward(one: Pass, slopes: Floats) -> Floats:
    """The gradient of the unembedding matrix, [VOCABULARY, WIDTH], from the derivatives by the logprobs, [T, K].

    The derivative of lp[t, k] by the logits of t is onehot(target[t, k]) - p[t].
    """
    total = slopes.sum(axis=1, keepdims=True)
    result: Floats = -(one.exponentials.T @ (total / one.sums * one.hidden))
    for k in range(one.targets.shape[1]):
        np.add.at(result, one.targets[:, k], slopes[:, k : k + 1] * one.hidden)
    return result
