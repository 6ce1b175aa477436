"""Defects of state that is lost, shared, or that of another model, in the dialect `tinker-json`; and of numbers that are changed on their way."""

from dataclasses import replace
from typing import Any

import numpy as np

from rollout_conformance.rollout_server.mutants.framework import Mutant, after, around, every
from rollout_conformance.rollout_server.mutants.training.arithmetic import TINKER
from rollout_conformance.rollout_server.training import (
    adam,
    adapter,
    losses,
    sampling,
    training_step,
    works,
)
from rollout_conformance.rollout_server.training.model_state import ModelState
from rollout_conformance.rollout_server.training.model_store import END_MODEL
from rollout_conformance.rollout_server.training.service import Service


def _twice_the_rate(original: Any, parameters: Any, gradient: Any, moments: Any, options: Any) -> Any:
    return original(parameters, gradient, moments, replace(options, learning_rate=2 * options.learning_rate))


def _fixed(**members: float) -> Any:
    def step(original: Any, parameters: Any, gradient: Any, moments: Any, options: Any) -> Any:
        return original(parameters, gradient, moments, replace(options, **members))

    return step


_steps = [0]


def _counted_for_all(original: Any, parameters: Any, gradient: Any, moments: Any, options: Any) -> Any:
    """One counter of steps corrects the bias of all models."""
    _steps[0] += 1
    return original(parameters, gradient, replace(moments, t=_steps[0] - 1), options)


def _by_matrix(original: Any, state: ModelState, options: Any) -> Any:
    """A and B are clipped by a norm of their own each."""
    if state.gradients is None or options.grad_clip_norm <= 0:
        return original(state, options)
    found = np.array(state.gradients)
    for part in state.shape.parts(found):
        part[:] = adam.clipped(part, options.grad_clip_norm)
    return original(replace(state, gradients=found), replace(options, grad_clip_norm=0.0))


def _mean_of_calls(original: Any, self: ModelState, gradients: Any, units: float) -> ModelState:
    state: ModelState = original(self, gradients, units)
    if self.gradients is None:
        return replace(state, units=1.0)
    return replace(state, gradients=(self.gradients * self.units + gradients) / (self.units + 1), units=self.units + 1)


_trained: dict[int, ModelState] = {}


def _remembered(original: Any, self: ModelState, options: Any, gradients: Any) -> ModelState:
    stepped: ModelState = original(self, options, gradients)
    _trained[self.shape.rank] = stepped
    return stepped


def _moments_of_the_last(original: Any, self: ModelState, saved: ModelState, *, optimizer: bool) -> ModelState:
    """The optimizer that is loaded is that of the model that was trained last."""
    loaded: ModelState = original(self, saved, optimizer=optimizer)
    last = _trained.get(self.shape.rank)
    return replace(loaded, moments=last.moments) if optimizer and loaded.moments and last else loaded


def _second_moment_lost(original: Any, self: ModelState, saved: ModelState, *, optimizer: bool) -> ModelState:
    loaded: ModelState = original(self, saved, optimizer=optimizer)
    return replace(loaded, moments=replace(loaded.moments, v=loaded.moments.v * 0)) if loaded.moments else loaded


_before: dict[bytes, ModelState] = {}


def _keeps_the_last(original: Any, state: ModelState, options: Any) -> Any:
    outcome = original(state, options)
    _before[outcome.state.parameters.tobytes()] = state
    return outcome


def _one_step_behind(original: Any, base: Any, state: ModelState, given: Any) -> Any:
    """A forward reads weights that the last step has not reached."""
    outcome = original(base, _before.get(state.parameters.tobytes(), state), given)
    return replace(outcome, state=state)


def _next_token(rows: Any) -> Any:
    """The logprobs of the prompt stand beside the token before."""
    row = rows.get("prompt_logprobs")
    return {**rows, "prompt_logprobs": [None, *row[2:], row[-1]]} if row and len(row) > 2 else rows


def _next_top(rows: Any) -> Any:
    row = rows.get("topk_prompt_logprobs")
    return {**rows, "topk_prompt_logprobs": [None, *row[2:], row[-1]]} if row and len(row) > 2 else rows


def _stops_of_the_first(
    original: Any, base: Any, unembedding: Any, prompt: Any, options: Any, nth: int, decode: Any
) -> Any:
    own = options if nth == 0 else replace(options, stop_tokens=frozenset(), stop_texts=())
    return original(base, unembedding, prompt, own, nth, decode)


def _old_returned(original: Any, base: Any, unembedding: Any, sequence: Any, given: Any, *, with_gradient: bool) -> Any:
    one = original(base, unembedding, sequence, given, with_gradient=with_gradient)
    return replace(one, logprobs=sequence.given["logprobs"]) if "logprobs" in sequence.given else one


def _at_least_zero(original: Any, loss: Any, lp: Any, given: Any, config: Any) -> Any:
    given = {**given, "weights": np.maximum(given["weights"], 0)} if "weights" in given else given
    return original(loss, lp, given, config)


def _centred(original: Any, loss: Any, lp: Any, given: Any, config: Any) -> Any:
    if "advantages" in given:
        given = {**given, "advantages": given["advantages"] - given["advantages"].mean()}
    return original(loss, lp, given, config)


def _half_of_the_adapter(original: Any, self: works.Sample, context: Any, saved: Any) -> Any:
    """The sampler merges the adapter with another scale than training has."""
    return original(
        self, context, saved and replace(saved, shape=adapter.Shape(saved.shape.rank, saved.shape.alpha / 2))
    )


def _ends_the_session(original: Any, self: works.Unload, context: Any) -> Any:
    run = original(self, context)

    def unload(state: Any) -> Any:
        done = run(state)

        def commit() -> None:
            done.commit()
            row = context.database.one("SELECT session FROM models WHERE id = ?", context.model)
            for one in context.database.all("SELECT id FROM models WHERE session = ?", row["session"]):
                context.database.run(END_MODEL, "unloaded", one["id"])

        return replace(done, commit=commit)

    return unload


def _checkpoints_end_too(original: Any, self: Service, user: str, session: str) -> None:
    original(self, user, session)
    for one in self.database.all("SELECT id FROM models WHERE session = ?", session):
        self.checkpoints._drop("model = ?", one["id"])


def _path_ignored(original: Any, context: Any, sampler: str, session: str, path: str | None, file: str | None) -> None:
    original(context, sampler, session, path, None if path else file)


def _newest_of_the_model(
    original: Any, context: Any, sampler: str, session: str, path: str | None, file: str | None
) -> None:
    statement = "SELECT file FROM checkpoints WHERE model = (SELECT model FROM checkpoints WHERE file = ?) ORDER BY created_at DESC"
    newest = context.database.one(statement, file) if path else None
    original(context, sampler, session, path, newest["file"] if newest else file)


OPTIMIZER = (
    Mutant(
        "rate_applied_twice", breaks="045", what="a step is one at twice the learning rate",
        patch=around(adam, "step", _twice_the_rate), dialects=TINKER,
    ),
    Mutant(
        "beta1_fixed", breaks="039", also=("007", "013", "033"), what="beta1 is 0.9 whatever is sent",
        patch=around(adam, "step", _fixed(beta1=0.9)), dialects=TINKER,
    ),
    Mutant(
        "eps_fixed", breaks="033", also=("039",), what="eps is 1e-8 whatever is sent",
        patch=around(adam, "step", _fixed(eps=1e-8)), dialects=TINKER,
    ),
    Mutant(
        "steps_counted_for_all", breaks="039", also=("*",), what="the steps of all models are counted together",
        patch=around(adam, "step", _counted_for_all), dialects=TINKER,
    ),
    Mutant(
        "clipped_by_matrix", breaks="045", what="each matrix of the adapter is clipped by its own norm",
        patch=around(training_step, "optimize", _by_matrix), dialects=TINKER,
    ),
    Mutant(
        "mean_of_calls", breaks="001", also=("*",), what="the gradient is the mean over the calls of forward_backward",
        patch=around(ModelState, "accumulate", _mean_of_calls), dialects=TINKER,
    ),
)  # fmt: skip
MUTANTS = (
    *OPTIMIZER,
    Mutant(
        "moments_of_the_last_trained", breaks="019", also=("020",), what="a load has the moments of the model that was trained last",
        patch=every(around(ModelState, "optimize", _remembered), around(ModelState, "load", _moments_of_the_last)),
        dialects=TINKER,
    ),
    Mutant(
        "second_moment_lost", breaks="019", what="the second moment is lost by a load",
        patch=around(ModelState, "load", _second_moment_lost), dialects=TINKER,
    ),
    Mutant(
        "forward_one_step_behind", breaks="200", also=("*",), what="a forward reads the weights before the last step",
        patch=every(around(training_step, "optimize", _keeps_the_last), around(training_step, "forward", _one_step_behind)),
        dialects=TINKER,
    ),
    Mutant(
        "prompt_logprobs_shifted", breaks="026", also=("022",), what="prompt_logprobs are off by one",
        patch=after(works.Sample, "of_prompt", _next_token), dialects=TINKER,
    ),
    Mutant(
        "topk_prompt_logprobs_shifted", breaks="026", what="topk_prompt_logprobs are off by one",
        patch=after(works.Sample, "of_prompt", _next_top), dialects=TINKER,
    ),
    Mutant(
        "stops_of_the_first_sequence", breaks="024", what="stop tokens end only the first of several sequences",
        patch=around(sampling, "sample", _stops_of_the_first), dialects=TINKER,
    ),
    Mutant(
        "old_logprobs_returned", breaks="034", also=("*",), what="a policy loss returns the logprobs that were sent",
        patch=around(training_step, "evaluate", _old_returned), dialects=TINKER,
    ),
    Mutant(
        "negative_weights_are_zero", breaks="009", also=("*",), what="negative weights are taken for 0",
        patch=around(losses, "evaluate", _at_least_zero), dialects=TINKER,
    ),
    Mutant(
        "advantages_centred", breaks="010", also=("*",), what="the mean of the advantages of a datum is subtracted from them",
        patch=around(losses, "evaluate", _centred), dialects=TINKER,
    ),
    Mutant(
        "sampler_of_half_scale", breaks="022", also=("021", "026"), what="samplers merge the adapter at half of its scale",
        patch=around(works.Sample, "sampled", _half_of_the_adapter), dialects=TINKER,
    ),
    Mutant(
        "unload_ends_the_session", breaks="029", also=("030",), what="unload_model unloads all models of its session",
        patch=around(works.Unload, "prepare", _ends_the_session), dialects=TINKER,
    ),
    Mutant(
        "checkpoints_end_with_the_session", breaks="050", what="the checkpoints of a session are deleted when it ends",
        patch=around(Service, "end_session", _checkpoints_end_too), dialects=TINKER,
    ),
    Mutant(
        "path_of_samplers_ignored", breaks="021", what="a sampling session samples from the base model, whatever its path is",
        patch=around(works, "add_sampler", _path_ignored), dialects=TINKER,
    ),
    Mutant(
        "path_of_samplers_is_the_newest", breaks="021", what="a sampling session samples from the newest checkpoint of the model of its path",
        patch=around(works, "add_sampler", _newest_of_the_model), dialects=TINKER,
    ),
)  # fmt: skip
