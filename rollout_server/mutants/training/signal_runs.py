"""Defects of keys, runs and errors of the dialect `signal`."""

import json
import traceback
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from rollout_conformance.contracts.training import wire_signal as wire
from rollout_conformance.rollout_server.common.auth import header_values
from rollout_conformance.rollout_server.common.responses import json_response
from rollout_conformance.rollout_server.mutants.framework import TESTS, Mutant, Patch, after, around, every, put
from rollout_conformance.rollout_server.mutants.training.endpoint_patches import around_handler
from rollout_conformance.rollout_server.mutants.training.tolerating import tolerating
from rollout_conformance.rollout_server.training import (
    app,
    errors,
    request_input,
    signal_endpoints,
    signal_text,
)
from rollout_conformance.rollout_server.training.base_model import NAME
from rollout_conformance.rollout_server.training.command_log import CommandLog
from rollout_conformance.rollout_server.training.errors import UserError
from rollout_conformance.rollout_server.training.key_store import KeyStore
from rollout_conformance.rollout_server.training.model_store import ModelStore
from rollout_conformance.rollout_server.training.signal_step import Schedule

SIGNAL = ("signal",)


def _needs_key(endpoint: Any) -> Patch:
    async def get(original: Any, self: Any, request: Request) -> Response:
        request_input.bearer_caller(request)
        response: Response = await original(self, request)
        return response

    return around_handler(endpoint, "get", get)


async def _more_models(original: Any, self: Any, request: Request) -> Response:
    return json_response({"models": [NAME, "reference/retired"]})


async def _open_status(original: Any, self: Any, request: Request) -> Response:
    app_state = request_input.state_of(request)
    row = app_state.service.database.one("SELECT user FROM models WHERE id = ?", request.path_params["run_id"])
    if row is None:
        raise errors.no_such("run")
    return json_response(
        signal_endpoints.described(app_state.service.models.find(row["user"], request.path_params["run_id"]))
    )


def _any_scheme(request: Request) -> Any:
    found = header_values(request, b"authorization")
    return request_input.state_of(request).keys.caller(found[0].split()[-1] if found and found[0] else None)


def _extra_parts(request: Request) -> Any:
    found = header_values(request, b"authorization")
    parts = found[0].split() if found else []
    is_bearer = len(parts) >= 2 and parts[0].lower() == b"bearer"
    return request_input.state_of(request).keys.caller(parts[1] if is_bearer else None)


def _caller(change: Any) -> Patch:
    return every(put(signal_endpoints, "bearer_caller", change), put(signal_text, "bearer_caller", change))


def _still_valid(original: Any, self: KeyStore, key: bytes | None) -> Any:
    """Keys are looked up in a list that revocation does not change."""
    from rollout_conformance.rollout_server.training import key_store

    found = self._database.one("SELECT id, user FROM keys WHERE hash = ?", key_store.digest(key or b""))
    return key_store.Caller(found["user"], found["id"]) if key and found else original(self, key)


def _revokes_all(original: Any, self: KeyStore, user: str, key_id: str) -> None:
    original(self, user, key_id)
    self._database.run(
        "UPDATE keys SET revoked = 1 WHERE user = ? AND hash NOT IN (SELECT hash FROM keys ORDER BY rowid LIMIT 2)",
        user,
    )


def _lists_all(original: Any, self: KeyStore, user: str) -> Any:
    return self._database.all("SELECT id, description, created_at, last_used FROM keys WHERE NOT revoked")


async def _create_body_first(original: Any, self: Any, request: Request) -> Response:
    given = request_input.validate(await request_input.read_json(request), wire.RunConfig)
    app_state, caller = request_input.state_of(request), request_input.bearer_caller(request)
    signal_endpoints.check(app_state, caller.user, given)
    return json_response(signal_endpoints.create(app_state, caller.user, given))


def _not_echoed(row: dict[str, Any]) -> dict[str, Any]:
    return {
        **row,
        "config": {name: value for name, value in row["config"].items() if name not in ("lora_alpha", "lora_r")},
    }


def _alpha_64(row: dict[str, Any]) -> dict[str, Any]:
    return {**row, "config": {**row["config"], "lora_alpha": 64}}


def _model_500(original: Any, app_state: Any, user: str, given: wire.RunConfig) -> None:
    try:
        original(app_state, user, given)
    except UserError as error:
        raise RuntimeError(error.message) from None


def _leaves_a_row(original: Any, app_state: Any, user: str, given: wire.RunConfig) -> None:
    try:
        original(app_state, user, given)
    except UserError:
        if given.base_model not in (NAME,):
            signal_endpoints.create(app_state, user, given)
        raise


def _full_rate(self: Schedule, step: int) -> float:
    return self.rate


def _rows_of_all(original: Any, self: ModelStore, user: str) -> Any:
    return self._database.all(
        "SELECT id, user, session, base_model, status, step, created_at, updated_at, about FROM models ORDER BY created_at DESC"
    )


async def _id_only(original: Any, self: Any, request: Request) -> Response:
    response: Response = await original(self, request)
    row = json.loads(bytes(response.body))
    return json_response({("id" if name == "run_id" else name): value for name, value in row.items()})


def _run_of_anybody(original: Any, app_state: Any, user: str, request: Request) -> Any:
    row = app_state.service.database.one("SELECT user FROM models WHERE id = ?", request.path_params["run_id"])
    return original(app_state, row["user"] if row else user, request)


def _own(change: Any) -> Patch:
    return every(around(signal_endpoints, "own_run", change), around(signal_text, "own_run", change))


def _unknown_500(original: Any, app_state: Any, user: str, request: Request) -> Any:
    try:
        return original(app_state, user, request)
    except UserError:
        raise RuntimeError("404: run not found") from None


def _with_traceback(original: Any, request: Request, error: UserError) -> Response:
    body = {"error": "".join(traceback.format_exception(error)), "category": "user"}
    return json_response(body, error.status, error.headers)


def _future_of_anybody(original: Any, self: CommandLog, user: str, request_id: str) -> Any:
    row = self._database.one("SELECT user FROM commands WHERE id = ?", request_id)
    return original(self, row["user"] if row else user, request_id)


async def _complete_twice(original: Any, self: Any, request: Request) -> Response:
    app_state, caller = request_input.state_of(request), request_input.bearer_caller(request)
    if signal_endpoints.own_run(app_state, caller.user, request)["status"] != "running":
        raise errors.conflict("The run is completed")
    response: Response = await original(self, request)
    return response


async def _not_completed(original: Any, self: Any, request: Request) -> Response:
    app_state, caller = request_input.state_of(request), request_input.bearer_caller(request)
    row = signal_endpoints.own_run(app_state, caller.user, request)
    return json_response({"success": True, "run_id": row["id"], "status": "completed"})


def _trains_on(original: Any, app_state: Any, user: str, run: Any, kind: str, body: Any) -> Any:
    return original(app_state, user, {**run, "status": "running"}, kind, body)


def _run_config(member: str, instead: Any) -> Patch:
    return tolerating(signal_endpoints, wire.RunConfig, member, instead, keep=True)


MUTANTS = (
    Mutant("root_needs_a_key", breaks="101", what="GET / needs a key", patch=_needs_key(signal_endpoints.Root), dialects=SIGNAL),
    Mutant(
        "health_needs_a_key", breaks="102", what="GET /health needs a key", patch=_needs_key(signal_endpoints.Health),
        dialects=SIGNAL,
    ),
    Mutant(
        "lists_a_retired_model", breaks="103", what="GET /models lists a model that POST /runs refuses",
        patch=around_handler(signal_endpoints.Models, "get", _more_models), dialects=SIGNAL,
    ),
    Mutant(
        "status_without_key", breaks="104", also=("028",), what="the status of a run needs no key",
        patch=around_handler(signal_endpoints.Status, "get", _open_status), dialects=SIGNAL,
    ),
    Mutant("any_scheme", breaks="105", what="a key is taken in any scheme", patch=_caller(_any_scheme), dialects=SIGNAL),
    Mutant(
        "extra_parts_ignored", breaks="105", what="what follows a key in the header is ignored",
        patch=_caller(_extra_parts), dialects=SIGNAL,
    ),
    Mutant(
        "revoked_key_valid", breaks="111", what="a revoked key is still valid",
        patch=around(KeyStore, "caller", _still_valid), by=TESTS, dialects=SIGNAL,
    ),
    Mutant(
        "body_before_key", breaks="107", what="POST /runs validates the body before the key",
        patch=around_handler(signal_endpoints.Runs, "post", _create_body_first), dialects=SIGNAL,
    ),
    Mutant(
        "revokes_all_keys", breaks="111", what="revoking one key revokes the user's other new keys",
        patch=around(KeyStore, "revoke", _revokes_all), by=TESTS, dialects=SIGNAL,
    ),
    Mutant(
        "lists_everybodys_keys", breaks="112", what="GET /keys lists the keys of all users",
        patch=around(KeyStore, "list", _lists_all), by=TESTS, dialects=SIGNAL,
    ),
    Mutant(
        "config_not_echoed", breaks="114", also=("116",), what="the config of a run lacks its defaults",
        patch=after(signal_endpoints, "described", _not_echoed), dialects=SIGNAL,
    ),
    Mutant(
        "alpha_of_64", breaks="116", what="the config shows another lora_alpha than the effective one",
        patch=after(signal_endpoints, "described", _alpha_64), dialects=SIGNAL,
    ),
    Mutant(
        "unsupported_model_500", breaks="117", also=("123",), what="an unsupported model is a server error",
        patch=around(signal_endpoints, "check", _model_500), dialects=SIGNAL,
    ),
    Mutant(
        "refused_run_exists", breaks="117", also=("128",), what="a run that was refused is listed",
        patch=around(signal_endpoints, "check", _leaves_a_row), dialects=SIGNAL,
    ),
    Mutant(
        "model_name_unchecked", breaks="118", what="a base_model that is no name is taken for the default",
        patch=tolerating(signal_endpoints, wire.RunConfig, "base_model", NAME), dialects=SIGNAL,
    ),
    Mutant("rank_unbounded", breaks="119", what="lora_r has no upper bound", patch=_run_config("lora_r", 4), dialects=SIGNAL),
    Mutant(
        "dropout_unbounded", breaks="119", what="lora_dropout above 0.5 is accepted", patch=_run_config("lora_dropout", 0.0),
        dialects=SIGNAL,
    ),
    Mutant(
        "rate_unbounded", breaks="119", what="a learning rate of 0 or above 1 is accepted",
        patch=_run_config("learning_rate", 1e-3), dialects=SIGNAL,
    ),
    Mutant(
        "decay_unbounded", breaks="119", what="weight_decay above 1 is accepted", patch=_run_config("weight_decay", 0.0),
        dialects=SIGNAL,
    ),
    Mutant(
        "length_unbounded", breaks="119", what="max_seq_length above its bound is accepted",
        patch=_run_config("max_seq_length", 2048), dialects=SIGNAL,
    ),
    Mutant(
        "length_clamped_silently", breaks="120", what="max_seq_length is clamped and the config shows what was asked",
        patch=put(signal_endpoints, "MAX_CONTEXT", 2**31), by=TESTS, dialects=SIGNAL,
    ),
    Mutant(
        "gpu_unchecked", breaks="121", what="gpu_config is not checked", patch=_run_config("gpu_config", "L40S:1"),
        dialects=SIGNAL,
    ),
    Mutant(
        "scheduler_ignored", breaks="135", what="lr_scheduler and warmup_steps have no effect",
        patch=put(Schedule, "at", _full_rate), by=TESTS, dialects=SIGNAL,
    ),
    Mutant(
        "scheduler_unchecked", breaks="122", what="an unknown lr_scheduler is accepted",
        patch=_run_config("lr_scheduler", None), dialects=SIGNAL,
    ),
    Mutant(
        "optimizer_unchecked", breaks="123", what="an unknown optimizer is accepted",
        patch=put(signal_endpoints, "OPTIMIZERS", type("All", (), {"__contains__": lambda *_: True, "__iter__": lambda _: iter(())})()),
        dialects=SIGNAL,
    ),
    Mutant(
        "lists_everybodys_runs_too", breaks="128", also=("028",), what="GET /runs lists the runs of all users",
        patch=around(ModelStore, "of_user", _rows_of_all), dialects=SIGNAL,
    ),
    Mutant(
        "status_without_run_id", breaks="129", also=("201",), what="status calls the id of a run `id`",
        patch=around_handler(signal_endpoints.Status, "get", _id_only), dialects=SIGNAL,
    ),
    Mutant(
        "unknown_run_500", breaks="130", also=("028", "132"), what="an unknown run is a server error",
        patch=_own(_unknown_500), dialects=SIGNAL,
    ),
    Mutant("runs_of_anybody", breaks="028", what="a run can be used with any key", patch=_own(_run_of_anybody), dialects=SIGNAL),
    Mutant(
        "errors_with_tracebacks", breaks="132", what="errors carry the text of exceptions and paths",
        patch=around(app, "on_user_error", _with_traceback),
    ),
    Mutant(
        "signal_futures_of_anybody", breaks="028", what="a future can be read and deleted with any key",
        patch=around(CommandLog, "find", _future_of_anybody), dialects=SIGNAL,
    ),
    Mutant(
        "completed_run_trains", breaks="162", what="a completed run still trains",
        patch=around(signal_endpoints, "submit_body", _trains_on), dialects=SIGNAL,
    ),
    Mutant(
        "never_completed", breaks="162", what="complete is acknowledged without effect",
        patch=around_handler(signal_endpoints.Complete, "post", _not_completed), dialects=SIGNAL,
    ),
    Mutant(
        "complete_once", breaks="163", what="the second complete is refused",
        patch=around_handler(signal_endpoints.Complete, "post", _complete_twice), dialects=SIGNAL,
    ),
)  # fmt: skip
