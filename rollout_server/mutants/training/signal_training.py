"""Defects of training, sampling, saving and futures of the dialect `signal`."""

from dataclasses import replace
from typing import Any

import numpy as np
from starlette.requests import Request
from starlette.responses import Response

from rollout_conformance.rollout_server.common.responses import json_response
from rollout_conformance.rollout_server.mutants.framework import TESTS, Mutant, Patch, after, around, every, put
from rollout_conformance.rollout_server.mutants.training.endpoint_patches import around_handler
from rollout_conformance.rollout_server.mutants.training.signal_runs import SIGNAL
from rollout_conformance.rollout_server.training import (
    signal_endpoints,
    signal_step,
    signal_text,
    signal_works,
)
from rollout_conformance.rollout_server.training.command_log import Command
from rollout_conformance.rollout_server.training.model_state import ModelState
from rollout_conformance.rollout_server.training.service import Service
from rollout_conformance.rollout_server.training.text_codec import TextCodec
from rollout_conformance.rollout_server.training.training_step import Outcome


def _result(change: Any) -> Any:
    def changed(outcome: Outcome) -> Outcome:
        return replace(outcome, result={**outcome.result, **change(outcome)})

    return changed


def _step_of_backward(original: Any, *arguments: Any) -> Outcome:
    outcome: Outcome = original(*arguments)
    return replace(outcome, state=replace(outcome.state, step=outcome.state.step + 1))


def _stuck(outcome: Outcome) -> Outcome:
    return replace(
        outcome,
        state=replace(outcome.state, step=min(1, outcome.state.step)),
        result={**outcome.result, "step": min(1, outcome.state.step)},
    )


def _sticky(original: Any, app_state: Any, run: Any, kind: str, given: Any) -> Any:
    """An override of the learning rate becomes the rate of the run."""
    if kind == "optim_step":
        own = _rates.get(run["id"])
        if given.learning_rate is not None:
            _rates[run["id"]] = given.learning_rate
        elif own is not None:
            given = given.model_copy(update={"learning_rate": own})
    return original(app_state, run, kind, given)


_rates: dict[str, float] = {}


def _no_gradients_needed(original: Any, state: ModelState, options: Any) -> Outcome:
    if state.gradients is None:
        state = replace(state, gradients=np.zeros(state.shape.size), units=1.0)
    outcome: Outcome = original(state, options)
    return outcome


def _gradients_stay(original: Any, state: ModelState, options: Any) -> Outcome:
    outcome: Outcome = original(state, options)
    return replace(outcome, state=replace(outcome.state, gradients=state.gradients, units=state.units))


def _accumulate(value: bool) -> Any:
    def change(original: Any, base: Any, state: Any, batch: Any, *more: Any) -> Any:
        return original(base, state, replace(batch, accumulate=value), *more)

    return change


def _mean_of_means(original: Any, self: ModelState, gradients: Any, units: float) -> ModelState:
    """Batches weigh the same, whatever their numbers of tokens."""
    state: ModelState = original(self, gradients / units, 1.0)
    return state


def _reversed(original: Any, self: signal_works.Sample, sampled: Any) -> Any:
    return original(self, sampled[::-1])


def _first_prompt_only(original: Any, self: signal_works.Sample, sampled: Any) -> Any:
    return original(self, sampled[:1])


def _logprobs(change: Any) -> Patch:
    def described(original: Any, self: signal_works.Sample, sampled: Any) -> Any:
        made = original(self, sampled)
        return {**made, "logprobs": change(self, made, sampled)}

    return around(signal_works.Sample, "described", described)


def _warm(original: Any, app_state: Any, given: Any) -> Any:
    return original(app_state, given.model_copy(update={"temperature": given.temperature or 0.7}))


_first: dict[str, Any] = {}


def _stale(original: Any, self: signal_works.Sample, context: Any) -> Any:
    run = original(self, context)
    return lambda state: replace(run(_first.setdefault(context.model, state)), state=state)


async def _two_ends(original: Any, result: Any) -> Any:
    async for chunk in original(result):
        yield chunk
        if b'"is_finished":true' in chunk:
            yield chunk


async def _no_end(original: Any, result: Any) -> Any:
    async for chunk in original(result):
        yield chunk.replace(b'"is_finished":true', b'"is_finished":false')


def _streaming(change: Any) -> Patch:
    def patch() -> None:
        original = signal_text.chunks
        signal_text.chunks = lambda result: change(original, result)

    return patch


def _always_adapter(row: dict[str, Any]) -> dict[str, Any]:
    return {**row, "mode": "adapter"}


def _one_artifact(original: Any, self: Any, user: str, model: str) -> Any:
    return list(original(self, user, model))[-1:]


def _no_metrics(original: Any, context: Any, outcome: Outcome) -> Any:
    return replace(original(context, outcome), commit=lambda: None)


async def _newest_first(original: Any, self: Any, request: Request) -> Response:
    import json

    response: Response = await original(self, request)
    body = json.loads(bytes(response.body))
    return json_response({**body, "metrics": body["metrics"][::-1]})


async def _raw_future(original: Any, self: Any, request: Request) -> Response:
    import json

    response: Response = await original(self, request)
    body = json.loads(bytes(response.body))
    return json_response({**body, "result": {"raw": body["result"]}} if "result" in body else body)


async def _failed_is_completed(original: Any, self: Any, request: Request) -> Response:
    import json

    response: Response = await original(self, request)
    body = json.loads(bytes(response.body))
    return json_response({"status": "completed", "result": {}} if body["status"] == "failed" else body)


def _async_is_lost(original: Any, self: Service, request_id: str, job: Any, model: str | None, done: Any) -> None:
    """What a future did is not kept."""
    before = self.models.state(model) if model else None
    kept = before if job.command.kind == "signal_optim_step" and request_id in _deferred else done.state
    original(self, request_id, job, model, replace(done, state=kept))


_deferred: set[str] = set()


async def _remember_deferred(original: Any, request: Request, kind: str) -> Any:
    made = await original(request, kind)
    if request.url.path.endswith("_async"):
        _deferred.add(made[2])
    return made


def _not_the_same(original: Any, self: TextCodec, text: str) -> list[int]:
    return list(original(self, text.lower()))


def _shared(original: Any, self: Service, request_id: str, job: Any, model: str | None, done: Any) -> None:
    """A step of one user's run is counted for all runs."""
    original(self, request_id, job, model, done)
    if job.command.kind == "signal_optim_step":
        self.database.run("UPDATE models SET step = ? WHERE session IS NULL", done.state.step)


class _Forgetful(Command):
    def __init__(self, user: str, lane: str, kind: str, payload: dict[str, Any], *_: Any) -> None:
        super().__init__(user, lane, kind, payload)


MUTANTS = (
    Mutant(
        "loss_as_text", breaks="133", also=("*",), what="loss is a string",
        patch=after(signal_step, "forward_backward", _result(lambda o: {"loss": str(o.result["loss"])})), dialects=SIGNAL,
    ),
    Mutant(
        "norm_negative", breaks="133", what="grad_norm is negative",
        patch=after(signal_step, "forward_backward", _result(lambda o: {"grad_norm": -1.0 - o.result["grad_norm"]})),
        dialects=SIGNAL,
    ),
    Mutant(
        "backward_steps", breaks="134", also=("135", "136", "157"), what="forward_backward counts as a step",
        patch=around(signal_step, "forward_backward", _step_of_backward), dialects=SIGNAL,
    ),
    Mutant(
        "rate_not_reported", breaks="135", also=("122", "137"), what="optim_step reports another learning rate than it used",
        patch=after(signal_step, "optimize", _result(lambda o: {"learning_rate": 1e-3})), dialects=SIGNAL,
    ),
    Mutant(
        "step_stuck", breaks="136", also=("157",), what="the step never passes 1", patch=after(signal_step, "optimize", _stuck),
        dialects=SIGNAL,
    ),
    Mutant(
        "override_kept", breaks="137", what="an override of the learning rate stays", patch=around(signal_works, "build", _sticky),
        dialects=SIGNAL,
    ),
    Mutant(
        "no_gradients_needed", breaks="138", what="optim_step without gradients is a step",
        patch=around(signal_step, "optimize", _no_gradients_needed), dialects=SIGNAL,
    ),
    Mutant(
        "gradients_not_consumed", breaks="007", also=("001", "138"), what="optim_step leaves the gradients",
        patch=around(signal_step, "optimize", _gradients_stay), dialects=SIGNAL,
    ),
    Mutant(
        "accumulate_ignored", breaks="001", what="accumulate is ignored",
        patch=around(signal_step, "forward_backward", _accumulate(False)), dialects=SIGNAL,
    ),
    Mutant(
        "mean_of_means", breaks="001", what="accumulated batches weigh the same, whatever their size",
        patch=around(ModelState, "accumulate", _mean_of_means), by=TESTS, dialects=SIGNAL,
    ),
    Mutant(
        "always_accumulates", breaks="140", what="forward_backward never discards earlier gradients",
        patch=around(signal_step, "forward_backward", _accumulate(True)), dialects=SIGNAL,
    ),
    Mutant(
        "samples_reversed", breaks="147", what="samples are in the reverse order of their prompts",
        patch=around(signal_works.Sample, "described", _reversed), dialects=SIGNAL,
    ),
    Mutant(
        "one_prompt_only", breaks="147", what="only the first prompt is answered",
        patch=around(signal_works.Sample, "described", _first_prompt_only), dialects=SIGNAL,
    ),
    Mutant(
        "logprobs_never", breaks="024", what="return_logprobs is ignored",
        patch=_logprobs(lambda self, made, sampled: None), dialects=SIGNAL,
    ),
    Mutant(
        "probabilities_for_logprobs", breaks="024", what="logprobs are probabilities",
        patch=_logprobs(
            lambda self, made, sampled: [np.exp(row).tolist() for row in made["logprobs"]] if made["logprobs"] else None
        ),
        dialects=SIGNAL,
    ),
    Mutant(
        "never_greedy", breaks="150", also=("021", "147"), what="temperature 0 is taken for the default",
        patch=around(signal_works, "sample", _warm), dialects=SIGNAL,
    ),
    Mutant(
        "samples_stale", breaks="021", what="samples come from the weights of the first sample",
        patch=around(signal_works.Sample, "prepare", _stale), dialects=SIGNAL,
    ),
    Mutant("stream_ends_twice", breaks="152", what="a stream has two last chunks", patch=_streaming(_two_ends), by=TESTS, dialects=SIGNAL),
    Mutant("stream_has_no_end", breaks="152", what="no chunk of a stream is the last", patch=_streaming(_no_end), by=TESTS, dialects=SIGNAL),
    Mutant(
        "mode_forgotten", breaks="154", what="artifacts list every save as adapter",
        patch=after(signal_endpoints, "artifact", _always_adapter), dialects=SIGNAL,
    ),
    Mutant(
        "latest_artifact_only", breaks="154", what="artifacts list the latest save alone",
        patch=lambda: around(_checkpoints(), "of_model", _one_artifact)(), dialects=SIGNAL,
    ),
    Mutant(
        "metrics_lost", breaks="157", what="training calls leave no metrics", patch=around(signal_works, "recorded", _no_metrics),
        dialects=SIGNAL,
    ),
    Mutant(
        "metrics_newest_first", breaks="157", what="metrics are listed backwards",
        patch=around_handler(signal_endpoints.RunMetrics, "get", _newest_first), dialects=SIGNAL,
    ),
    Mutant(
        "future_result_wrapped", breaks="158", what="the result of a future has another schema than the call",
        patch=around_handler(signal_endpoints.Future, "get", _raw_future), dialects=SIGNAL,
    ),
    Mutant(
        "failed_is_completed", breaks="158", what="a failed future is an empty success",
        patch=around_handler(signal_endpoints.Future, "get", _failed_is_completed), dialects=SIGNAL,
    ),
    Mutant(
        "async_step_lost", breaks="159", also=("158",), what="a step by optim_step_async is not kept",
        patch=every(around(Service, "_commit", _async_is_lost), around(signal_endpoints, "submit", _remember_deferred)),
        dialects=SIGNAL,
    ),
    Mutant(
        "text_not_kept", breaks="174", what="tokenizing loses the case of letters", patch=around(TextCodec, "encode", _not_the_same),
        by=TESTS, dialects=SIGNAL,
    ),
    Mutant(
        "steps_shared", breaks="129", also=("136",), what="a step of one run is counted for all runs",
        patch=around(Service, "_commit", _shared), dialects=SIGNAL,
    ),
    Mutant(
        "request_ids_ignored", breaks="177", what="a repeated request_id runs again",
        patch=put(signal_endpoints, "Command", _Forgetful), by=TESTS, dialects=SIGNAL,
    ),
)  # fmt: skip


def _checkpoints() -> Any:
    from rollout_conformance.rollout_server.training.checkpoints import Checkpoints

    return Checkpoints
