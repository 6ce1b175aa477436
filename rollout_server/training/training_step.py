"""The pure functions of training: from a state and a batch to outputs and gradients."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from rollout_conformance.rollout_server.training import adapter, errors, losses, passes, tensors
from rollout_conformance.rollout_server.training.adam import AdamOptions
from rollout_conformance.rollout_server.training.base_model import BaseModel, Floats
from rollout_conformance.rollout_server.training.batch import Batch, Sequence
from rollout_conformance.rollout_server.training.losses import LOSSES
from rollout_conformance.rollout_server.training.model_state import ModelState


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a command leaves: the new state, and its result as the client reads it."""

    state: ModelState
    result: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Evaluated:
    value: float
    logprobs: Floats
    gradient: Floats | None


def forward(base: BaseModel, state: ModelState, batch: Batch) -> Outcome:
    """Leaves the state as it is."""
    _, result = evaluate_batch(base, state, batch, with_gradient=False)
    return Outcome(state, result)


def forward_backward(base: BaseModel, state: ModelState, batch: Batch) -> Outcome:
    gradient, result = evaluate_batch(base, state, batch, with_gradient=True)
    assert gradient is not None
    parts = adapter.gradient(state.shape, state.parameters, gradient)
    return Outcome(state.accumulate(parts, float(count(batch))), result)


def evaluate_batch(
    base: BaseModel, state: ModelState, batch: Batch, *, with_gradient: bool
) -> tuple[Floats | None, dict[str, Any]]:
    """Sequence by sequence: what stands beside a sequence in the batch cannot change its logprobs."""
    unembedding = adapter.unembedding(base, state.shape, state.parameters)
    total = np.zeros_like(unembedding) if with_gradient else None
    value, outputs = 0.0, []
    for sequence in batch.sequences:
        one = evaluate(base, unembedding, sequence, batch, with_gradient=with_gradient)
        value += one.value
        if total is not None and one.gradient is not None:
            total += one.gradient
        outputs.append({"logprobs": tensors.to_wire(one.logprobs[:, 0] if sequence.flat else one.logprobs)})
    return total, described(value, outputs, count(batch))


def evaluate(
    base: BaseModel, unembedding: Floats, sequence: Sequence, batch: Batch, *, with_gradient: bool
) -> Evaluated:
    one = passes.forward(base, unembedding, sequence.tokens, sequence.targets)
    value, slopes = losses.evaluate(LOSSES[batch.loss], one.logprobs, sequence.given, batch.config)
    if not np.isfinite(value) or not np.isfinite(slopes).all():
        raise errors.invalid("The loss is not finite: a ratio overflows")
    return Evaluated(value, one.logprobs, passes.backward(one, slopes) if with_gradient else None)


def described(value: float, outputs: list[Any], tokens: int) -> dict[str, Any]:
    """The names of metrics end with how clients reduce them over the chunks of one call."""
    metrics = {"loss:sum": value, "tokens:sum": float(tokens)}
    return {"loss_fn_output_type": "ArrayRecord", "loss_fn_outputs": outputs, "metrics": metrics}


def count(batch: Batch) -> int:
    return sum(len(one.tokens) for one in batch.sequences)


def optimize(state: ModelState, options: AdamOptions) -> Outcome:
    """Raises `UserError` without gradients: momentum alone would move the weights."""
    if state.gradients is None:
        raise errors.invalid("There are no gradients: call forward_backward before optim_step")
    after = state.optimize(options, state.gradients)
    if not np.isfinite(after.parameters).all():
        raise errors.invalid("The step would leave weights that are not finite")
    return Outcome(after, {"metrics": optimizer_metrics(state.gradients, after, options)})


def optimizer_metrics(gradients: Floats, after: ModelState, options: AdamOptions) -> Mapping[str, float]:
    norm = float(np.linalg.norm(gradients))
    return {"grad_norm:max": norm, "learning_rate:max": options.learning_rate, "step:max": float(after.step)}
