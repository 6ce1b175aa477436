"""forward_backward and optim_step of the dialect `signal`."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from rollout_conformance.rollout_server.training import adapter, errors, passes
from rollout_conformance.rollout_server.training.adam import AdamOptions
from rollout_conformance.rollout_server.training.base_model import BaseModel, Floats
from rollout_conformance.rollout_server.training.model_state import ModelState
from rollout_conformance.rollout_server.training.passes import Pass
from rollout_conformance.rollout_server.training.signal_batch import Example, SignalBatch
from rollout_conformance.rollout_server.training.training_step import Outcome


@dataclass(frozen=True, slots=True)
class Weights:
    """The base model with an adapter. `random` draws what dropout drops at `rate`; None: nothing."""

    base: BaseModel
    unembedding: Floats
    rate: float = 0.0
    random: np.random.Generator | None = None


def run(weights: Weights, example: Example) -> Pass:
    tokens, targets = example.tokens[:-1], example.tokens[1:, None]
    if weights.random is None:
        return passes.forward(weights.base, weights.unembedding, tokens, targets)
    return passes.forward_with_dropout(weights.base, weights.unembedding, tokens, targets, weights.rate, weights.random)


def learnt(one: Pass, example: Example) -> Floats:
    """The logprobs of its targets."""
    return one.logprobs[-example.learnt :, 0]


def slopes_of(one: Pass, slopes: Floats) -> Floats:
    """[T, 1], zero for what is no target."""
    result = np.zeros_like(one.logprobs)
    result[-len(slopes) :, 0] = slopes
    return result


@dataclass(frozen=True, slots=True)
class Term:
    """What one group adds: the sum of its losses, over how many units, and the slopes of each sequence."""

    value: float
    units: float
    slopes: Sequence[Floats]


def term(batch: SignalBatch, n: int, logprobs: Sequence[Floats], reference: Sequence[Floats]) -> Term:
    if batch.loss == "dpo":
        return dpo(logprobs, reference, batch.options["beta"])
    if batch.loss == "grpo":
        return grpo(logprobs, batch.rewards[n])
    lp = logprobs[0]
    if batch.loss == "causal_lm":
        return Term(float(-lp.sum()), len(lp), [-np.ones_like(lp)])
    assert batch.old is not None
    assert batch.advantages is not None
    return policy(batch, lp, np.asarray(batch.old[n]), np.asarray(batch.advantages[n]))


def policy(batch: SignalBatch, lp: Floats, old: Floats, advantages: Floats) -> Term:
    with np.errstate(over="ignore", invalid="ignore"):
        ratio = np.exp(lp - old)
        plain = ratio * advantages
    if batch.loss == "importance_sampling":
        return Term(float(-plain.sum()), len(lp), [-plain])
    clipped = np.clip(ratio, batch.options["clip_low"], batch.options["clip_high"]) * advantages
    return Term(float(-np.minimum(plain, clipped).sum()), len(lp), [np.where(plain <= clipped, -plain, 0.0)])


def dpo(logprobs: Sequence[Floats], reference: Sequence[Floats], beta: float) -> Term:
    """-log sigmoid(beta * ((chosen - its reference) - (rejected - its reference))), on the sums of logprobs."""
    chosen, rejected = (float(lp.sum() - ref.sum()) for lp, ref in zip(logprobs, reference, strict=True))
    margin = beta * (chosen - rejected)
    value = float(np.logaddexp(0.0, -margin))
    slope = -beta * math.exp(-float(np.logaddexp(0.0, margin)))
    return Term(value, 1, [np.full_like(logprobs[0], slope), np.full_like(logprobs[1], -slope)])


def grpo(logprobs: Sequence[Floats], rewards: Sequence[float]) -> Term:
    """-mean over responses of A * mean lp, with A the reward normalized within the group."""
    given = np.asarray(rewards)
    spread = float(given.std())
    advantages = (given - given.mean()) / spread if spread > 0 else np.zeros_like(given)
    value, slopes = 0.0, []
    for lp, advantage in zip(logprobs, advantages, strict=True):
        share = float(advantage) / (len(lp) * len(logprobs))
        value -= share * float(lp.sum())
        slopes.append(np.full_like(lp, -share))
    return Term(value, 1, slopes)


def weights_of(base: BaseModel, state: ModelState, dropout: float, seed: int) -> Weights:
    """The same masks for the same call of the same run, also when it is repeated after a restart."""
    random = np.random.default_rng([seed, state.passes]) if dropout > 0 else None
    return Weights(base, adapter.unembedding(base, state.shape, state.parameters), dropout, random)


def forward_backward(
    base: BaseModel, state: ModelState, batch: SignalBatch, dropout: float = 0.0, seed: int = 0
) -> Outcome:
    weights = weights_of(base, state, dropout, seed)
    frozen = Weights(base, base.unembedding)
    total, value, units = np.zeros_like(weights.unembedding), 0.0, 0.0
    for n, group in enumerate(batch.groups):
        runs = [run(weights, example) for example in group]
        logprobs = [learnt(one, example) for one, example in zip(runs, group, strict=True)]
        reference = [learnt(run(frozen, one), one) for one in group] if batch.loss == "dpo" else []
        own = term(batch, n, logprobs, reference)
        value, units = value + own.value, units + own.units
        for one, slopes in zip(runs, own.slopes, strict=True):
            total += passes.backward(one, slopes_of(one, slopes))
    return outcome(state, batch, total, value, units)


def outcome(state: ModelState, batch: SignalBatch, total: Floats, value: float, units: float) -> Outcome:
    if not math.isfinite(value) or not np.isfinite(total).all():
        raise errors.invalid("The loss is not finite: a ratio overflows")
    gradients = adapter.gradient(state.shape, state.parameters, total)
    kept = state if batch.accumulate else state.without_gradients()
    after = kept.accumulate(gradients, units)
    assert after.gradients is not None
    norm = float(np.linalg.norm(after.gradients / after.units))
    metrics: dict[str, Any] = {"tokens": units, "truncated_tokens": batch.cut, "loss_fn": batch.loss}
    return Outcome(after, {"loss": value / units, "step": state.step, "grad_norm": norm, "metrics": metrics})


def optimize(state: ModelState, options: AdamOptions) -> Outcome:
    """The step is of the mean gradient. Raises `UserError` without gradients."""
    if state.gradients is None:
        raise errors.invalid("Missing gradients: call forward_backward before optim_step")
    mean = state.gradients / state.units
    after = state.optimize(options, mean)
    if not np.isfinite(after.parameters).all():
        raise errors.invalid("The step would leave weights that are not finite")
    metrics = {"grad_norm": float(np.linalg.norm(mean))}
    return Outcome(after, {"step": after.step, "learning_rate": options.learning_rate, "metrics": metrics})


@dataclass(frozen=True, slots=True)
class Schedule:
    """The learning rate of a run by step. Warm-up rises linearly to the full rate; the horizon is the server's."""

    rate: float
    kind: str | None
    warmup: int
    horizon: int

    def at(self, step: int) -> float:
        """Of the step after `step` steps."""
        if step < self.warmup and self.kind is not None:
            return self.rate * (step + 1) / (self.warmup + 1)
        progress = min(1.0, (step - self.warmup) / max(1, self.horizon - self.warmup))
        if self.kind == "linear":
            return self.rate * (1.0 - progress)
        if self.kind == "cosine":
            return self.rate * 0.5 * (1.0 + math.cos(math.pi * progress))
        return self.rate
