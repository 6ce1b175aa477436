"""Defects of the optimizer of the dialect `tinker-json`: steps that train, and are not those of Adam."""

from dataclasses import replace
from typing import Any

from rollout_conformance.rollout_server.mutants.framework import Mutant, around, put
from rollout_conformance.rollout_server.mutants.training.arithmetic import TINKER
from rollout_conformance.rollout_server.training import adam


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


MUTANTS = (
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
