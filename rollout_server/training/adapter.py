"""A low-rank adapter: `A` is [rank, WIDTH], `B` is [VOCABULARY, rank]; both lie in one flat vector.

At the start A is normal with deviation 1/sqrt(WIDTH) from the seed, and B is zero, so a new adapter changes nothing.
"""

import secrets
from dataclasses import dataclass

import numpy as np

from rollout_conformance.rollout_server.training.base_model import VOCABULARY, WIDTH, BaseModel, Floats

ALPHA = 32.0  # where the API has no such option


@dataclass(frozen=True, slots=True)
class Shape:
    rank: int
    alpha: float = ALPHA

    @property
    def scale(self) -> float:
        return self.alpha / self.rank

    @property
    def size(self) -> int:
        return self.rank * (WIDTH + VOCABULARY)

    def parts(self, flat: Floats) -> tuple[Floats, Floats]:
        """Views of A and B."""
        cut = self.rank * WIDTH
        return flat[:cut].reshape(self.rank, WIDTH), flat[cut:].reshape(VOCABULARY, self.rank)


def initial(shape: Shape, seed: int | None) -> Floats:
    """`seed` None: any."""
    random = np.random.default_rng(secrets.randbits(63) if seed is None else seed)
    flat = np.zeros(shape.size)
    a, _ = shape.parts(flat)
    a[:] = random.standard_normal(a.shape) / np.sqrt(WIDTH)
    return flat


def unembedding(base: BaseModel, shape: Shape, flat: Floats | None) -> Floats:
    """W + scale * B @ A, [VOCABULARY, WIDTH]. None: the base model."""
    if flat is None:
        return base.unembedding
    a, b = shape.parts(flat)
    return base.unembedding + shape.scale * (b @ a)


def gradient(shape: Shape, flat: Floats, full: Floats) -> Floats:
    """The gradient of (A, B) from that of the product, [VOCABULARY, WIDTH]."""
    a, b = shape.parts(flat)
    result = np.empty_like(flat)
    of_a, of_b = shape.parts(result)
    of_a[:] = shape.scale * (b.T @ full)
    of_b[:] = shape.scale * (full @ a.T)
    return result
