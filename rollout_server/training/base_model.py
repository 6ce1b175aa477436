"""The frozen base model: a softmax over the vocabulary, linear in a short window of past tokens.

    h[t] = sum over k of DECAY**k * E[x[t-k]],  k = 0 … WINDOW-1        (t-k >= 0)
    logits[t] = (W + scale * B @ A) @ h[t]

The adapter (A, B) is what is trained; E and W never change. Everything is computed in float64.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

NAME = "reference/tiny-softmax"
OTHER = "reference/tiny-softmax-b"  # the same architecture with other weights
VOCABULARY = 1536
WIDTH = 16
WINDOW = 4
DECAY = 0.5
MAX_CONTEXT = 4096
SEEDS = {NAME: 20260, OTHER: 20261}


@dataclass(frozen=True, slots=True)
class BaseModel:
    """`embedding` and `unembedding` are [VOCABULARY, WIDTH]."""

    name: str
    embedding: Floats
    unembedding: Floats

    def hidden(self, tokens: Ints) -> Floats:
        """[T, WIDTH]: what the logits after each token are linear in."""
        embedded = self.embedding[tokens]
        result = embedded.copy()
        for k in range(1, min(WINDOW, len(tokens))):
            result[k:] += DECAY**k * embedded[:-k]
        return result


@cache
def load(name: str) -> BaseModel:
    """Raises `KeyError` for a model that is not served."""
    random = np.random.default_rng(SEEDS[name])
    embedding = random.standard_normal((VOCABULARY, WIDTH)) / np.sqrt(WIDTH)
    unembedding = random.standard_normal((VOCABULARY, WIDTH))
    for array in (embedding, unembedding):
        array.setflags(write=False)
    return BaseModel(name, embedding, unembedding)
