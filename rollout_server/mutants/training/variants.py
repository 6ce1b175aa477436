"""Conforming variants: the reference server with a freedom that a correct server has, so that the suite can be seen to accept it.

Each is served like a mutant, by its name in TRAINING_MUTANT, and none is listed among them.
"""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from starlette.requests import Request
from starlette.responses import Response

from rollout_conformance.rollout_server.common.responses import json_response
from rollout_conformance.rollout_server.mutants.framework import Patch, after, around, every
from rollout_conformance.rollout_server.mutants.training.endpoint_patches import around_handler
from rollout_conformance.rollout_server.training import (
    app,
    base_model,
    errors,
    sampling,
    signal_endpoints,
    signal_step,
    signal_works,
    tinker_endpoints,
    tinker_rest,
    tinker_sessions,
    tinker_works,
    training_step,
)
from rollout_conformance.rollout_server.training.base_model import BaseModel, Floats
from rollout_conformance.rollout_server.training.checkpoints import WEIGHTS, Checkpoints, parse_path
from rollout_conformance.rollout_server.training.command_log import FAILED, Command, CommandLog
from rollout_conformance.rollout_server.training.errors import UserError
from rollout_conformance.rollout_server.training.key_store import KeyStore
from rollout_conformance.rollout_server.training.losses import LOSSES
from rollout_conformance.rollout_server.training.model_state import ModelState
from rollout_conformance.rollout_server.training.model_store import ModelStore
from rollout_conformance.rollout_server.training.service import Service
from rollout_conformance.rollout_server.training.training_step import Outcome


def _few_words(original: Any, request: Request, error: UserError) -> Response:
    return json_response({"error": "Rejected", "category": "user"}, error.status, error.headers)


def _bad_request(original: Any, request: Request, error: UserError) -> Response:
    """One status for what cannot be read and for what makes no sense."""
    response: Response = original(request, error)
    response.status_code = 400 if error.status == 422 else error.status
    return response


async def _status_ok(original: Any, self: Any, request: Request) -> Response:
    return json_response({"status": "ok", "uptime_s": 1.5})


async def _also_to_sample_from(original: Any, self: Any, request: Request) -> Response:
    """A model that is only sampled from is listed too, as later generations of the protocol do."""
    response: Response = await original(self, request)
    listed = json.loads(bytes(response.body))["supported_models"]
    more = {"model_name": "reference/only-sampled", "trainable": False, "sampleable": True}
    return json_response({"supported_models": [more, *({**one, "trainable": True} for one in listed), more]})


def _says_missing(original: Any, self: KeyStore, key: bytes | None) -> Any:
    if not key:
        raise UserError(401, "The API key is missing")
    return original(self, key)


def _accepted_202(response: Response) -> Response:
    response.status_code = 202
    return response


def _failed_future(original: Any, app_state: Any, caller: Any, kind: str, body: dict[str, Any], given: Any) -> Any:
    """What makes no sense is accepted and fails when its turn comes."""
    try:
        return original(app_state, caller, kind, body, given)
    except UserError as error:
        if error.status != 400:
            raise
        commands: CommandLog = app_state.service.commands
        seq = getattr(given, "seq_id", None)
        number = None if seq is None else str(seq)
        command = Command(caller.user, given.model_id, kind, tinker_endpoints.clean(body), number, seq)
        request_id = commands.earlier(command) or commands.add(command)
        commands.finish(request_id, FAILED, 400, errors.envelope(error.message))
        tinker_endpoints.spend(app_state, caller, body)
        return request_id


async def _at_once(original: Any, self: Service, user: str, request_id: str, wait_s: float) -> Any:
    """Results are not waited for: clients poll."""
    return await original(self, user, request_id, min(wait_s, 0.01))


def _untempered(original: Any, base: BaseModel, unembedding: Floats, *arguments: Any) -> Any:
    """The logprobs are those of the model, before the temperature."""
    sampled = original(base, unembedding, *arguments)
    tokens = list(arguments[0])
    for n, token in enumerate(sampled.tokens):
        row = sampling.next_log_probabilities(base, unembedding, tokens, 1.0)
        sampled.logprobs[n] = float(np.float32(row[token]))
        tokens.append(token)
    return sampled


def _without_the_stop_token(original: Any, base: BaseModel, unembedding: Floats, *arguments: Any) -> Any:
    sampled = original(base, unembedding, *arguments)
    if sampled.stop_reason == "stop" and sampled.tokens[-1] in arguments[1].stop_tokens and len(sampled.tokens) > 1:
        sampled.tokens.pop()
        sampled.logprobs.pop()
    return sampled


def _certain(original: Any, base: BaseModel, unembedding: Floats, *arguments: Any) -> Any:
    """At temperature 0 a token is certain, and its logprob is 0."""
    sampled = original(base, unembedding, *arguments)
    if arguments[1].temperature == 0:
        sampled.logprobs = [0.0] * len(sampled.tokens)
    return sampled


def _load_keeps_gradients(original: Any, self: ModelState, saved: ModelState, *, optimizer: bool) -> ModelState:
    loaded: ModelState = original(self, saved, optimizer=optimizer)
    return replace(loaded, gradients=self.gradients, units=self.units)


def _nothing_to_step(original: Any, state: ModelState, options: Any) -> Outcome:
    if state.gradients is None:
        return Outcome(state, {"metrics": {}})
    outcome: Outcome = original(state, options)
    return outcome


def _forbidden(table: str) -> Any:
    def find(original: Any, self: Any, user: str, name: str) -> Any:
        row = self._database.one(f"SELECT user FROM {table} WHERE id = ?", name)  # noqa: S608
        if row is not None and row["user"] != user:
            raise UserError(403, "This belongs to someone else")
        return original(self, user, name)

    return find


def _forbidden_path(original: Any, self: Checkpoints, user: str, path: Any) -> Any:
    row = self._row(path)
    if row is not None and row["user"] != user:
        raise UserError(403, "This belongs to someone else")
    return original(self, user, path)


def _more_members(result: dict[str, Any]) -> dict[str, Any]:
    metrics = {**result["metrics"], "elapsed_s:max": 0.25}
    return {**result, "metrics": metrics, "node": "cpu-0", "warnings": None}


def _no_weights_beside_policy() -> None:
    for name in ("importance_sampling", "ppo", "cispo", "dro"):
        takes = tuple(one for one in LOSSES[name].takes if one != "weights")
        LOSSES[name] = replace(LOSSES[name], takes=takes)  # type: ignore[index]


def _by_batch(original: Any, state: ModelState, batch: Any, total: Floats, value: float, units: float) -> Outcome:
    """Accumulated batches weigh the same, whatever their numbers of tokens."""
    weighed: Outcome = original(state, batch, total / units, value / units, 1.0)
    return weighed


def _no_norm(outcome: Outcome) -> Outcome:
    return replace(outcome, result={**outcome.result, "grad_norm": None})


def _always_logprobs(original: Any, self: signal_works.Sample, sampled: Any) -> Any:
    return original(replace(self, logprobs=True), sampled)


async def _deleted_anyway(original: Any, self: Any, request: Request) -> Response:
    try:
        response: Response = await original(self, request)
    except UserError as error:
        if error.status != 404:
            raise
        return json_response({"status": "cancelled", "future_id": request.path_params["future_id"]})
    return response


def _without_config(row: dict[str, Any]) -> dict[str, Any]:
    """Members that the caller did not ask about are left out."""
    names = {"base_model", "lora_r", "lora_alpha", "learning_rate", "max_seq_length"} & set(row["config"])
    return {**row, "config": {name: row["config"][name] for name in names}, "user_id": None}


def _only_of_samplers(original: Any, app_state: Any, user: str, base: str | None, path: str | None) -> Any:
    """Training checkpoints are not sampled from: that takes a save for samplers."""
    if path is not None and parse_path(path).kind == WEIGHTS:
        raise errors.not_implemented("Sampling from a training checkpoint")
    return original(app_state, user, base, path)


def _without_public(entry: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in entry.items() if name != "public"}


def _of_the_owner(original: Any, self: Checkpoints, user: str, path: Any) -> Any:
    """What is public is found by it in a catalogue, which is no part of this API."""
    return self.find(user, path)


def _peaked(base: BaseModel) -> BaseModel:
    """Most tokens are improbable, as in a trained model, and the gradients of their weights tiny."""
    return replace(base, unembedding=base.unembedding * PEAK)


PEAK = 5.0

VARIANTS: Mapping[str, Patch] = {
    "training_checkpoints_are_not_sampled": around(tinker_works, "weights_of", _only_of_samplers),
    "publication_is_not_shown": every(
        after(tinker_rest, "checkpoint", _without_public), around(Checkpoints, "readable", _of_the_owner)
    ),
    "few_words": around(app, "on_user_error", _few_words),
    "one_status_for_bad_requests": around(app, "on_user_error", _bad_request),
    "health_status_is_ok": around_handler(signal_endpoints.Health, "get", _status_ok),
    "lists_a_model_that_is_only_sampled": around_handler(tinker_sessions.Capabilities, "get", _also_to_sample_from),
    "missing_key_has_its_own_words": around(KeyStore, "caller", _says_missing),
    "submits_answer_202": every(
        after(tinker_endpoints, "accepted", _accepted_202), after(tinker_sessions, "accepted", _accepted_202)
    ),
    "rejected_by_a_failed_future": around(tinker_endpoints, "submit", _failed_future),
    "results_are_polled": around(Service, "result", _at_once),
    "logprobs_before_temperature": around(sampling, "sample", _untempered),
    "stop_token_left_out": around(sampling, "sample", _without_the_stop_token),
    "greedy_tokens_are_certain": around(sampling, "sample", _certain),
    "load_keeps_gradients": around(ModelState, "load", _load_keeps_gradients),
    "step_without_gradients_does_nothing": around(training_step, "optimize", _nothing_to_step),
    "foreign_is_forbidden": every(
        around(ModelStore, "find", _forbidden("models")),
        around(ModelStore, "session", _forbidden("sessions")),
        around(CommandLog, "find", _forbidden("commands")),
        around(Checkpoints, "find", _forbidden_path),
    ),
    "most_tokens_are_improbable": after(base_model, "load", _peaked),
    "more_members": after(training_step, "described", _more_members),
    "no_weights_beside_policy": _no_weights_beside_policy,
    "batches_weigh_the_same": around(signal_step, "outcome", _by_batch),
    "norm_is_null": after(signal_step, "forward_backward", _no_norm),
    "logprobs_unasked": around(signal_works.Sample, "described", _always_logprobs),
    "deleting_always_succeeds": around_handler(signal_endpoints.Future, "delete", _deleted_anyway),
    "config_is_short": after(signal_endpoints, "described", _without_config),
}
