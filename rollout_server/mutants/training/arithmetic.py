"""Defects of losses, gradients and steps of the dialect `tinker-json`."""

from dataclasses import replace
from typing import Any

import numpy as np

from rollout_conformance.rollout_server.mutants.framework import Mutant, Patch, after, around, put
from rollout_conformance.rollout_server.training import adam, batch, losses, tensors, training_step
from rollout_conformance.rollout_server.training.losses import CLIP, LOSSES
from rollout_conformance.rollout_server.training.model_state import ModelState

TINKER = ("tinker-json",)


def _loss(name: str, compute: Any) -> Patch:
    def patch() -> None:
        LOSSES[name] = replace(LOSSES[name], compute=compute)  # type: ignore[index]

    return patch


def _last_only(original: Any, self: ModelState, gradients: Any, units: float) -> ModelState:
    state: ModelState = original(self.without_gradients(), gradients, units)
    return state


def _zero_clears(original: Any, self: ModelState, gradients: Any, units: float) -> ModelState:
    state: ModelState = original(self if gradients.any() else self.without_gradients(), gradients, units)
    return state


def _kept(original: Any, self: ModelState, options: Any, gradients: Any) -> ModelState:
    stepped: ModelState = original(self, options, gradients)
    return replace(stepped, gradients=self.gradients, units=self.units)


def _without_gradients(original: Any, state: ModelState, options: Any) -> Any:
    if state.gradients is not None:
        return original(state, options)
    return original(replace(state, gradients=np.sin(np.arange(state.shape.size))), options)


def _like_backward(base: Any, state: ModelState, given: Any) -> Any:
    return training_step.forward_backward(base, state, given)


def _clears(original: Any, base: Any, state: ModelState, given: Any) -> Any:
    outcome = original(base, state, given)
    return replace(outcome, state=outcome.state.without_gradients())


def _step_counts(original: Any, base: Any, state: ModelState, given: Any) -> Any:
    outcome = original(base, state, given)
    return replace(outcome, state=replace(outcome.state, parameters=outcome.state.parameters * 1.01))


def _mean(value: float, outputs: list[Any], tokens: int) -> dict[str, Any]:
    return _described(value / max(1, tokens), outputs, tokens)


_described = training_step.described


def _without(name: str) -> Any:
    def change(original: Any, loss: Any, lp: Any, given: Any, config: Any) -> Any:
        return original(loss, lp, {key: value for key, value in given.items() if key != name}, config)

    return change


def _weights(change: Any) -> Any:
    def evaluate(original: Any, loss: Any, lp: Any, given: Any, config: Any) -> Any:
        if "weights" in given:
            given = {**given, "weights": change(given["weights"])}
        return original(loss, lp, given, config)

    return evaluate


def _max(lp: Any, given: Any, config: Any) -> Any:
    ratio = np.exp(lp - given["logprobs"])
    plain, clipped = ratio * given["advantages"], np.clip(ratio, config[CLIP[0]], config[CLIP[1]]) * given["advantages"]
    return -np.maximum(plain, clipped), np.where(plain >= clipped, -plain, 0.0)


def _always_clipped(lp: Any, given: Any, config: Any) -> Any:
    clipped = np.clip(np.exp(lp - given["logprobs"]), config[CLIP[0]], config[CLIP[1]]) * given["advantages"]
    return -clipped, -clipped


def _fixed_bounds(lp: Any, given: Any, config: Any) -> Any:
    return losses.ppo(lp, given, {CLIP[0]: np.asarray(0.9), CLIP[1]: np.asarray(1.1)})


def _gradient_flows(lp: Any, given: Any, config: Any) -> Any:
    value, _ = losses.ppo(lp, given, config)
    return value, -np.exp(lp - given["logprobs"]) * given["advantages"]


def _cispo_free(lp: Any, given: Any, config: Any) -> Any:
    slope = -np.exp(lp - given["logprobs"]) * given["advantages"]
    return slope * lp, slope


def _dro_linear(lp: Any, given: Any, config: Any) -> Any:
    return -lp * given["advantages"], -given["advantages"] * np.ones_like(lp)


def _ratio_of_one(lp: Any, given: Any, config: Any) -> Any:
    return -given["advantages"], -given["advantages"]


def _upside_down(lp: Any, given: Any, config: Any) -> Any:
    value = -np.exp(given["logprobs"] - lp) * given["advantages"]
    return value, -value


def _averaged(lp: Any, given: Any, config: Any) -> Any:
    value, slope = losses.importance_sampling(lp, given, config)
    return value / len(lp), slope / len(lp)


def _shifted(values: Any) -> dict[str, object]:
    return _to_wire(values[1:] if len(values) > 1 else values)


def _positive(values: Any) -> dict[str, object]:
    return _to_wire(np.abs(values))


_to_wire = tensors.to_wire


def _by_size(original: Any, base: Any, state: Any, given: Any, *, with_gradient: bool) -> Any:
    """The state is disturbed by the number of sequences beside each other."""
    noise = 0.02 * (len(given.sequences) - 1) * np.sin(np.arange(state.shape.size))
    return original(base, replace(state, parameters=state.parameters + noise), given, with_gradient=with_gradient)


def _sorted(original: Any, base: Any, state: Any, given: Any, *, with_gradient: bool) -> Any:
    """As a batcher does that sorts by length and forgets to sort back."""
    by_length = tuple(sorted(given.sequences, key=lambda one: len(one.tokens)))
    return original(base, state, replace(given, sequences=by_length), with_gradient=with_gradient)


def _truncated_to_first(original: Any, given: Any, limits: Any) -> Any:
    """Weights are read if the first datum has them, and are zero where a later one has none."""
    parsed = original(given, limits)
    if "weights" not in parsed.sequences[0].given:
        return parsed
    zero = [{"weights": np.zeros(one.targets.shape), **one.given} for one in parsed.sequences]
    sequences = tuple(replace(one, given=own) for one, own in zip(parsed.sequences, zero, strict=True))
    return replace(parsed, sequences=sequences)


def _first_datum_only(original: Any, base: Any, state: Any, given: Any) -> Any:
    """The gradient of a batch is that of its first half; the outputs are complete."""
    whole = original(base, state, given)
    half = replace(given, sequences=given.sequences[: (len(given.sequences) + 1) // 2])
    return replace(whole, state=original(base, state, half).state)


def _full_parts_only(original: Any, base: Any, state: Any, given: Any) -> Any:
    """The gradient is that of whole micro-batches of four; the outputs are complete."""
    whole = original(base, state, given)
    if len(given.sequences) < 4:
        return whole
    full = replace(given, sequences=given.sequences[: len(given.sequences) // 4 * 4])
    return replace(whole, state=original(base, state, full).state)


def _least_rate(original: Any, parameters: Any, gradient: Any, moments: Any, options: Any) -> Any:
    return original(parameters, gradient, moments, replace(options, learning_rate=max(options.learning_rate, 1e-3)))


def _default_rate(original: Any, parameters: Any, gradient: Any, moments: Any, options: Any) -> Any:
    return original(parameters, gradient, moments, replace(options, learning_rate=options.learning_rate or 1e-2))


def _ascent(original: Any, parameters: Any, gradient: Any, moments: Any, options: Any) -> Any:
    return original(parameters, -gradient, moments, options)


def _no_colon(result: dict[str, Any]) -> dict[str, Any]:
    return {**result, "metrics": {name.replace(":sum", ""): value for name, value in result["metrics"].items()}}


def _no_bounds_as_tensors(original: Any, loss: Any, lp: Any, given: Any, config: Any) -> Any:
    if set(CLIP) & set(given):
        raise TypeError("loss_fn_config must be floats")
    return original(loss, lp, given, config)


def _silent_config(original: Any, loss: Any, given: Any) -> Any:
    return original(loss, {name: value for name, value in given.items() if name in (loss.config or {})})


MUTANTS = (
    Mutant(
        "accumulation_lost", breaks="001", also=("002", "014"), what="forward_backward replaces earlier gradients",
        patch=around(ModelState, "accumulate", _last_only), dialects=TINKER,
    ),
    Mutant(
        "half_of_a_batch", breaks="001", also=("029", "045"), what="the gradient of a batch leaves out its second half",
        patch=around(training_step, "forward_backward", _first_datum_only), dialects=TINKER,
    ),
    Mutant(
        "full_micro_batches_only", breaks="001", what="the gradient leaves out the data after the last whole four",
        patch=around(training_step, "forward_backward", _full_parts_only), dialects=TINKER,
    ),
    Mutant(
        "zero_gradient_clears", breaks="002", also=("013",), what="a gradient of zero discards earlier ones",
        patch=around(ModelState, "accumulate", _zero_clears), dialects=TINKER,
    ),
    Mutant(
        "least_rate", breaks="006", also=("007", "019", "039"), what="a learning rate of 0 becomes 0.001",
        patch=around(adam, "step", _least_rate), dialects=TINKER,
    ),
    Mutant(
        "falsy_rate", breaks="006", also=("007", "019", "039"), what="a learning rate of 0 becomes the default",
        patch=around(adam, "step", _default_rate), dialects=TINKER,
    ),
    Mutant(
        "gradients_kept", breaks="007", also=("*",), what="a step does not consume the gradients",
        patch=around(ModelState, "optimize", _kept), dialects=TINKER,
    ),
    Mutant(
        "step_without_gradients", breaks="007", also=("008", "032"), what="optim_step without gradients moves the weights",
        patch=around(training_step, "optimize", _without_gradients), dialects=TINKER,
    ),
    Mutant(
        "forward_accumulates", breaks="008", also=("*",), what="forward leaves gradients behind",
        patch=put(training_step, "forward", _like_backward), dialects=TINKER,
    ),
    Mutant(
        "forward_clears", breaks="008", also=("*",), what="forward discards gradients",
        patch=around(training_step, "forward", _clears), dialects=TINKER,
    ),
    Mutant(
        "forward_moves", breaks="008", also=("*",), what="forward changes the weights",
        patch=around(training_step, "forward", _step_counts), dialects=TINKER,
    ),
    Mutant(
        "loss_is_a_mean", breaks="009", also=("010", "011", "014", "016", "033", "034", "035"), what="loss:sum is a mean over tokens",
        patch=put(training_step, "described", _mean), dialects=TINKER,
    ),
    Mutant(
        "weights_ignored", breaks="009", also=("002", "013", "014", "033", "035", "039"), what="weights are ignored",
        patch=around(losses, "evaluate", _without("weights")), dialects=TINKER,
    ),
    Mutant(
        "ratio_averaged", breaks="010", also=("034",), what="importance_sampling is a mean over tokens",
        patch=_loss("importance_sampling", _averaged), dialects=TINKER,
    ),
    Mutant(
        "ppo_maximum", breaks="011", also=("033", "035"), what="ppo takes the larger of both terms", patch=_loss("ppo", _max),
        dialects=TINKER,
    ),
    Mutant(
        "ppo_always_clipped", breaks="011", also=("033", "035"), what="ppo takes the clipped term alone",
        patch=_loss("ppo", _always_clipped), dialects=TINKER,
    ),
    Mutant(
        "ppo_bounds_ignored", breaks="011", also=("033", "035"), what="ppo clips at 0.9 and 1.1 whatever is asked",
        patch=_loss("ppo", _fixed_bounds), dialects=TINKER,
    ),
    Mutant(
        "ppo_gradient_flows", breaks="011", what="a clipped token of ppo still has a gradient",
        patch=_loss("ppo", _gradient_flows), dialects=TINKER,
    ),
    Mutant(
        "cispo_unclipped", breaks="011", what="cispo does not clip", patch=_loss("cispo", _cispo_free), dialects=TINKER,
    ),
    Mutant(
        "dro_linear", breaks="011", what="dro lacks its quadratic term", patch=_loss("dro", _dro_linear), dialects=TINKER,
    ),
    Mutant(
        "logprobs_short", breaks="012", also=("*",), what="the first logprob of a sequence is missing",
        patch=put(tensors, "to_wire", _shifted), dialects=TINKER,
    ),
    Mutant(
        "logprobs_positive", breaks="012", also=("*",), what="logprobs are returned with the wrong sign",
        patch=put(tensors, "to_wire", _positive), dialects=TINKER,
    ),
    Mutant(
        "zero_weights_count", breaks="013", also=("002", "009", "033", "035"), what="a weight of 0 counts as 1",
        patch=around(losses, "evaluate", _weights(lambda w: np.where(w == 0, 1.0, w))), dialects=TINKER,
    ),
    Mutant(
        "weights_normalized", breaks="014", also=("001", "009", "016", "033", "035", "039"), what="weights are divided by their sum",
        patch=around(losses, "evaluate", _weights(lambda w: w / max(1e-9, float(w.sum())))), dialects=TINKER,
    ),
    Mutant(
        "batch_mates_leak", breaks="015", also=("*",), what="logprobs depend on the number of sequences in the batch",
        patch=around(training_step, "evaluate_batch", _by_size), dialects=TINKER,
    ),
    Mutant(
        "order_of_batch_lost", breaks="015", also=("*",), what="outputs are sorted by length",
        patch=around(training_step, "evaluate_batch", _sorted), dialects=TINKER,
    ),
    Mutant(
        "weights_of_the_first", breaks="016", what="a datum without weights counts as zero beside one with them",
        patch=around(batch, "parse", _truncated_to_first), dialects=TINKER,
    ),
    Mutant(
        "ascent", breaks="017", also=("*",), what="steps go up the gradient", patch=around(adam, "step", _ascent),
        dialects=TINKER,
    ),
    Mutant(
        "metrics_without_reduction", breaks="031", also=("*",), what="metrics are named `loss` and `tokens`",
        patch=after(training_step, "described", _no_colon), dialects=TINKER,
    ),
    Mutant(
        "old_logprobs_ignored", breaks="034", what="importance_sampling takes every ratio as 1",
        patch=_loss("importance_sampling", _ratio_of_one), dialects=TINKER,
    ),
    Mutant(
        "ratio_upside_down", breaks="034", what="importance_sampling divides the other way round",
        patch=_loss("importance_sampling", _upside_down), dialects=TINKER,
    ),
    Mutant(
        "bounds_as_tensors_crash", breaks="033", also=("035",), what="clip bounds as tensors are a server error",
        patch=around(losses, "evaluate", _no_bounds_as_tensors), dialects=TINKER,
    ),
    Mutant(
        "unknown_config_ignored", breaks="033", also=("032",), what="unknown keys of loss_fn_config are ignored",
        patch=around(batch, "parse_config", _silent_config), dialects=TINKER,
    ),
    Mutant(
        "clip_norm_ignored", breaks="033", also=("039",), what="grad_clip_norm has no effect",
        patch=put(adam, "clipped", lambda gradient, limit: gradient), dialects=TINKER,
    ),
)  # fmt: skip
