"""The arithmetic of the reference once more, token by token from the published formulas, sharing no code with it."""

import math
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
VOCABULARY, WIDTH, WINDOW, DECAY = 1536, 16, 4, 0.5

_random = np.random.default_rng(20260)
EMBEDDING = _random.standard_normal((VOCABULARY, WIDTH)) / math.sqrt(WIDTH)
UNEMBEDDING = _random.standard_normal((VOCABULARY, WIDTH))


def split(flat: Floats, rank: int) -> tuple[Floats, Floats]:
    return flat[: rank * WIDTH].reshape(rank, WIDTH), flat[rank * WIDTH :].reshape(VOCABULARY, rank)


def logprob(flat: Floats, rank: int, tokens: Sequence[int], target: int, alpha: float = 32.0) -> float:
    """Of `target` after `tokens`."""
    a, b = split(flat, rank)
    hidden = np.zeros(WIDTH)
    for k in range(min(WINDOW, len(tokens))):
        hidden += DECAY**k * EMBEDDING[tokens[-1 - k]]
    logits = UNEMBEDDING @ hidden + alpha / rank * (b @ (a @ hidden))
    peak = float(logits.max())
    return float(logits[target]) - peak - math.log(math.fsum(np.exp(logits - peak)))


def logprobs(flat: Floats, rank: int, tokens: Sequence[int], alpha: float = 32.0) -> list[float]:
    """Of each token but the first."""
    return [logprob(flat, rank, tokens[:n], tokens[n], alpha) for n in range(1, len(tokens))]


def slope(of: Callable[[Floats], float], at: Floats, coordinate: int, width: float = 1e-5) -> float:
    """A central difference."""
    up, down = at.copy(), at.copy()
    up[coordinate] += width
    down[coordinate] -= width
    return (of(up) - of(down)) / (2 * width)


def adam(
    weights: Sequence[float], gradients: Sequence[Sequence[float]], *, lr: float, beta1: float, beta2: float, eps: float,
    decay: float = 0.0, clip: float = 0.0,
) -> list[float]:  # fmt: skip
    """The weights after as many steps as there are gradients."""
    p, m, v = list(weights), [0.0] * len(weights), [0.0] * len(weights)
    for t, given in enumerate(gradients, start=1):
        norm = math.sqrt(math.fsum(g * g for g in given))
        factor = clip / norm if 0 < clip < norm else 1.0
        for n, whole in enumerate(given):
            g = whole * factor
            m[n] = beta1 * m[n] + (1 - beta1) * g
            v[n] = beta2 * v[n] + (1 - beta2) * g * g
            mean, square = m[n] / (1 - beta1**t), v[n] / (1 - beta2**t)
            p[n] -= lr * (mean / (math.sqrt(square) + eps) + decay * p[n])
    return p
