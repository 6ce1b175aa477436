"""Losses as functions of the logprobs of the target tokens: the value, and its derivative by each logprob.

All are sums over tokens, without normalization. lp: logprob now; old: `logprobs`; A: `advantages`; w: `weights`; r = exp(lp - old).
Where `weights` accompany a policy loss, they multiply its terms.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from rollout_conformance.rollout_server.training.base_model import Floats

Tensors = Mapping[str, Floats]
CLIP = ("clip_low_threshold", "clip_high_threshold")


@dataclass(frozen=True, slots=True)
class Loss:
    """`needs` are required tensors beside target_tokens, `takes` optional ones; `config` the options with their defaults."""

    compute: Callable[[Floats, Tensors, Tensors], tuple[Floats, Floats]]
    needs: tuple[str, ...] = ()
    takes: tuple[str, ...] = ("weights",)
    config: Mapping[str, float] | None = None


def cross_entropy(lp: Floats, given: Tensors, config: Tensors) -> tuple[Floats, Floats]:
    """-w * lp"""
    return -lp, -np.ones_like(lp)


def importance_sampling(lp: Floats, given: Tensors, config: Tensors) -> tuple[Floats, Floats]:
    """-r * A"""
    value = -np.exp(lp - given["logprobs"]) * given["advantages"]
    return value, value


def ppo(lp: Floats, given: Tensors, config: Tensors) -> tuple[Floats, Floats]:
    """-min(r * A, clip(r) * A); the clipped branch has no gradient."""
    ratio = np.exp(lp - given["logprobs"])
    plain = ratio * given["advantages"]
    clipped = np.clip(ratio, config[CLIP[0]], config[CLIP[1]]) * given["advantages"]
    return -np.minimum(plain, clipped), np.where(plain <= clipped, -plain, 0.0)


def cispo(lp: Floats, given: Tensors, config: Tensors) -> tuple[Floats, Floats]:
    """-clip(r) * lp * A, where clip(r) is a constant for the gradient."""
    ratio = np.clip(np.exp(lp - given["logprobs"]), config[CLIP[0]], config[CLIP[1]])
    slope = -ratio * given["advantages"]
    return slope * lp, slope


def dro(lp: Floats, given: Tensors, config: Tensors) -> tuple[Floats, Floats]:
    """-(lp * A - beta / 2 * (lp - old)**2)"""
    away = lp - given["logprobs"]
    advantages, beta = given["advantages"], config["beta"]
    return -(lp * advantages - beta / 2 * away**2), -(advantages - beta * away)


POLICY = ("logprobs", "advantages")
LOSSES: Mapping[str, Loss] = {
    "cross_entropy": Loss(cross_entropy),
    "importance_sampling": Loss(importance_sampling, POLICY),
    "ppo": Loss(ppo, POLICY, ("weights", *CLIP), {CLIP[0]: 0.8, CLIP[1]: 1.2}),
    "cispo": Loss(cispo, POLICY, ("weights", *CLIP), {CLIP[0]: 0.0, CLIP[1]: 4.0}),
    "dro": Loss(dro, POLICY, config={"beta": 0.01}),
}


def evaluate(loss: Loss, lp: Floats, given: Tensors, config: Mapping[str, float]) -> tuple[float, Floats]:
    """The sum and the derivative by each logprob. Not finite where a ratio overflows."""
    options = {name: given[name] if name in given else np.asarray(value) for name, value in config.items()}
    with np.errstate(over="ignore", invalid="ignore"):
        values, slopes = loss.compute(lp, given, options)
        weights = given.get("weights", np.ones_like(lp))
        kept = weights != 0  # a token of weight zero takes no part, even where its ratio overflows
        return float((values[kept] * weights[kept]).sum()), np.where(kept, slopes * weights, 0.0)
