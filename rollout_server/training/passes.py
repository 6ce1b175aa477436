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


def forward(base: BaseModel, unembedding: Floats, tokens: Ints, targets: Ints, hidden: Floats | None = None) -> Pass:
    """`hidden` replaces that of the base model, for dropout."""
    hidden = base.hidden(tokens) if hidden is None else hidden
    logits = hidden @ unembedding.T
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
