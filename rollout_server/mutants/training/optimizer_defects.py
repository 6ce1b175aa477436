"""Defects of the optimizer of the dialect `tinker-json`: steps that train, and are not those of Adam."""

from dataclasses import replace
from typing import Any

import numpy as np

from rollout_conformance.rollout_server.mutants.framework import Mutant, around, put
from rollout_conformance.rollout_server.mutants.training.arithmetic import TINKER
from rollout_conformance.rollout_server.training import adam, passes, training_step
from rollout_conformance.rollout_server.training.model_state import ModelState


def _uncounted(original: Any, parameters: Any, gradient: Any, moments: Any, options: Any) -> Any:
    stepped, later = original(parameters, gradient, moments, options)
    return stepped, replace(later, t=0)


def _uncorrected(original: Any, parameters: Any, gradient: Any, moments: Any, options: Any) -> Any:
    return original(parameters, gradient, replace(moments, t=10**6), options)


def _without_moments(original: Any, parameters: Any, gradient: Any, moments: Any, options: Any) -> Any:
    return original(parameters, gradient, adam.fresh(gradient.size), options)


def _swapped(original: Any, parameters: Any, gradient: Any, moments: Any, options: Any) -> Any:
    swapped = replace(options, beta1=options.beta2, beta2=options.beta1)
    return original(parameters, gradient, moments, swapped)


def _default_beta2(original: Any, parameters: Any, gradient: Any, moments: Any, options: Any) -> Any:
    return original(parameters, gradient, moments, replace(options, beta2=0.999))


def _descent(original: Any, parameters: Any, gradient: Any, moments: Any, options: Any) -> Any:
    return parameters - options.learning_rate * gradient, original(parameters, gradient, moments, options)[1]


def _decays_by_default(original: Any, parameters: Any, gradient: Any, moments: Any, options: Any) -> Any:
    decay = options.weight_decay or 0.1
    return original(parameters, gradient, moments, replace(options, weight_decay=decay))


def _by_factor(gradient: Any, limit: float) -> Any:
    return gradient * limit if limit > 0 else gradient


def _to_the_limit(gradient: Any, limit: float) -> Any:
    norm = float(np.linalg.norm(gradient))
    return gradient * (limit / norm) if limit > 0 and norm > 0 else gradient


def _by_shard(original: Any, gradient: Any, limit: float) -> Any:
    found = np.array(gradient)
    for n in range(4):
        found[n::4] = original(gradient[n::4], limit)
    return found


def _decay_in_the_gradient(original: Any, parameters: Any, gradient: Any, moments: Any, options: Any) -> Any:
    decayed = gradient + options.weight_decay * parameters
    return original(parameters, decayed, moments, replace(options, weight_decay=0.0))


def _decay_without_rate(original: Any, parameters: Any, gradient: Any, moments: Any, options: Any) -> Any:
    decay = options.weight_decay / options.learning_rate if options.learning_rate else 0.0
    return original(parameters, gradient, moments, replace(options, weight_decay=decay))


def _mean_of_datum(
    original: Any, base: Any, unembedding: Any, sequence: Any, given: Any, *, with_gradient: bool
) -> Any:
    one = original(base, unembedding, sequence, given, with_gradient=with_gradient)
    return one if one.gradient is None else replace(one, gradient=one.gradient / len(sequence.tokens))


def _mean_of_weights(
    original: Any, base: Any, unembedding: Any, sequence: Any, given: Any, *, with_gradient: bool
) -> Any:
    one = original(base, unembedding, sequence, given, with_gradient=with_gradient)
    counted = np.count_nonzero(sequence.given.get("weights", np.ones(len(sequence.tokens))))
    return one if one.gradient is None else replace(one, gradient=one.gradient / max(1, counted))


def _of_two_workers(original: Any, self: ModelState, gradients: Any, units: float) -> ModelState:
    state: ModelState = original(self, gradients / 2, units)
    return state


def _of_the_beginning(original: Any, one: Any, slopes: Any) -> Any:
    """What a buffer of 128 positions holds."""
    return original(one, np.where(np.arange(len(slopes))[:, None] < 128, slopes, 0.0))


def _of_64_data(original: Any, base: Any, state: ModelState, given: Any) -> Any:
    whole = original(base, state, given)
    if len(given.sequences) <= 64:
        return whole
    return replace(whole, state=original(base, state, replace(given, sequences=given.sequences[:64])).state)


MUTANTS = (
    Mutant(
        "clip_norm_is_reached", breaks="039", what="gradients are scaled to grad_clip_norm, small ones too",
        patch=put(adam, "clipped", _to_the_limit), dialects=TINKER,
    ),
    Mutant(
        "clipped_by_shard", breaks="045", what="each quarter of the gradient is clipped by its own norm",
        patch=around(adam, "clipped", _by_shard), dialects=TINKER,
    ),
    Mutant(
        "decay_in_the_gradient", breaks="039", what="weight_decay is added to the gradient, as Adam without W does",
        patch=around(adam, "step", _decay_in_the_gradient), dialects=TINKER,
    ),
    Mutant(
        "decay_without_rate", breaks="039", what="weights decay by weight_decay, whatever the rate is",
        patch=around(adam, "step", _decay_without_rate), dialects=TINKER,
    ),
    Mutant(
        "gradient_of_the_beginning", breaks="045", what="tokens after the first 128 of a datum have no gradient",
        patch=around(passes, "backward", _of_the_beginning), dialects=TINKER,
    ),
    Mutant(
        "gradient_of_64_data", breaks="045", what="data after the first 64 of a batch have no gradient",
        patch=around(training_step, "forward_backward", _of_64_data), dialects=TINKER,
    ),
    Mutant(
        "gradient_by_length", breaks="045", what="the gradient of a datum is divided by its number of tokens",
        patch=around(training_step, "evaluate", _mean_of_datum), dialects=TINKER,
    ),
    Mutant(
        "gradient_by_weights", breaks="045", also=("011",), what="the gradient of a datum is divided by its number of weighted tokens",
        patch=around(training_step, "evaluate", _mean_of_weights), dialects=TINKER,
    ),
    Mutant(
        "gradient_of_two_workers", breaks="045", what="gradients are halved, as a mean over two workers does",
        patch=around(ModelState, "accumulate", _of_two_workers), dialects=TINKER,
    ),
    Mutant(
        "steps_uncounted", breaks="039", also=("019",), what="every step is corrected as if it were the first",
        patch=around(adam, "step", _uncounted), dialects=TINKER,
    ),
    Mutant(
        "bias_uncorrected", breaks="039", what="the moments are not corrected for their bias",
        patch=around(adam, "step", _uncorrected), dialects=TINKER,
    ),
    Mutant(
        "moments_of_one_step", breaks="039", also=("019", "033"), what="the moments are forgotten after each step",
        patch=around(adam, "step", _without_moments), dialects=TINKER,
    ),
    Mutant(
        "betas_swapped", breaks="039", also=("007", "013", "019"), what="beta1 and beta2 are exchanged",
        patch=around(adam, "step", _swapped), dialects=TINKER,
    ),
    Mutant(
        "beta2_fixed", breaks="039", also=("007", "033"), what="beta2 is 0.999 whatever is sent",
        patch=around(adam, "step", _default_beta2), dialects=TINKER,
    ),
    Mutant(
        "gradient_descent", breaks="039", also=("019", "033"), what="a step is one of plain gradient descent",
        patch=around(adam, "step", _descent), dialects=TINKER,
    ),
    Mutant(
        "clip_norm_is_a_factor", breaks="039", what="gradients are multiplied by grad_clip_norm",
        patch=put(adam, "clipped", _by_factor), dialects=TINKER,
    ),
    Mutant(
        "decay_by_default", breaks="013", also=("039",), what="weights decay although weight_decay is 0",
        patch=around(adam, "step", _decays_by_default), dialects=TINKER,
    ),
)  # fmt: skip
