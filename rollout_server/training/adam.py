"""AdamW (Loshchilov and Hutter, 2019) with bias correction and decoupled weight decay.

g := g * clip / |g|  where clip > 0 and |g| > clip        (one norm over the whole adapter)
t := t + 1
m := beta1 * m + (1 - beta1) * g
v := beta2 * v + (1 - beta2) * g**2
p := p - lr * (m / (1 - beta1**t) / (sqrt(v / (1 - beta2**t)) + eps) + weight_decay * p)
"""

from dataclasses import dataclass

import numpy as np

from rollout_conformance.rollout_server.training.base_model import Floats


@dataclass(frozen=True, slots=True)
class AdamOptions:
    learning_rate: float
    beta1: float = 0.9
    beta2: float = 0.95
    eps: float = 1e-12
    weight_decay: float = 0.0
    grad_clip_norm: float = 0.0


@dataclass(frozen=True, slots=True)
class Moments:
    """`t` counts the steps that they have seen."""

    m: Floats
    v: Floats
    t: int = 0


def fresh(size: int) -> Moments:
    return Moments(np.zeros(size), np.zeros(size))


def clipped(gradient: Floats, limit: float) -> Floats:
    norm = float(np.linalg.norm(gradient))
    return gradient * (limit / norm) if limit > 0 and norm > limit else gradient


def step(parameters: Floats, gradient: Floats, moments: Moments, options: AdamOptions) -> tuple[Floats, Moments]:
    """New arrays; the arguments keep their values."""
    gradient = clipped(gradient, options.grad_clip_norm)
    t = moments.t + 1
    m = options.beta1 * moments.m + (1 - options.beta1) * gradient
    v = options.beta2 * moments.v + (1 - options.beta2) * gradient**2
    mean, square = m / (1 - options.beta1**t), v / (1 - options.beta2**t)
    change = mean / (np.sqrt(square) + options.eps) + options.weight_decay * parameters
    return parameters - options.learning_rate * change, Moments(m, v, t)
