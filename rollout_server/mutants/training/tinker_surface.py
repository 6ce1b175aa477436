"""Defects of keys, listings, ids and results of the dialect `tinker-json`."""

import json
from dataclasses import replace
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from rollout_conformance.contracts.training import wire_tinker as wire
from rollout_conformance.rollout_server.common.auth import header_values
from rollout_conformance.rollout_server.common.responses import json_response
from rollout_conformance.rollout_server.mutants.framework import Mutant, Patch, around, every, put
from rollout_conformance.rollout_server.mutants.training.arithmetic import TINKER
from rollout_conformance.rollout_server.mutants.training.endpoint_patches import around_handler
from rollout_conformance.rollout_server.training import (
    request_input,
    tinker_endpoints,
    tinker_rest,
    tinker_sessions,
    tinker_works,
    training_step,
)
from rollout_conformance.rollout_server.training.base_model import NAME, SEEDS
from rollout_conformance.rollout_server.training.errors import UserError
from rollout_conformance.rollout_server.training.key_store import Caller
from rollout_conformance.rollout_server.training.losses import CLIP, LOSSES
from rollout_conformance.rollout_server.training.model_store import ModelStore
from rollout_conformance.rollout_server.training.works import Done, Save


async def _needs_key(original: Any, self: Any, request: Request) -> Response:
    request_input.api_key_caller(request)
    response: Response = await original(self, request)
    return response


async def _more_models(original: Any, self: Any, request: Request) -> Response:
    request_input.api_key_caller(request)
    names = [*SEEDS, "reference/retired"]
    return json_response({"supported_models": [{"model_name": name, "max_context_length": 4096} for name in names]})


def _caller(change: Any) -> Patch:
    return every(*(put(one, "api_key_caller", change) for one in (tinker_endpoints, tinker_sessions, tinker_rest)))


def _first_user(request: Request) -> Caller:
    row = request_input.state_of(request).service.database.one("SELECT id, user FROM keys ORDER BY rowid")
    assert row is not None
    return Caller(row["user"], row["id"])


def _key_is_optional(request: Request) -> Caller:
    return request_input.api_key_caller(request) if header_values(request, b"x-api-key") else _first_user(request)


def _any_key(request: Request) -> Caller:
    try:
        return request_input.api_key_caller(request)
    except UserError:
        if not header_values(request, b"x-api-key"):
            raise
        return _first_user(request)


async def _body_first(original: Any, self: Any, request: Request) -> Response:
    given = request_input.validate(await request_input.read_json(request), wire.CreateSession)
    caller = request_input.api_key_caller(request)
    about = {"tags": given.tags, "user_metadata": given.user_metadata}
    session = request_input.state_of(request).service.models.create_session(caller.user, about)
    return json_response({"type": "create_session", "session_id": session})


async def _another_rank(original: Any, self: Any, request: Request) -> Response:
    response: Response = await original(self, request)
    row = json.loads(bytes(response.body))
    return json_response({**row, "lora_rank": 2 * row["lora_rank"]} if "lora_rank" in row else row)


async def _another_model(original: Any, self: Any, request: Request) -> Response:
    response: Response = await original(self, request)
    row = json.loads(bytes(response.body))
    return json_response({**row, "model_id": f"{row['model_id']}-0"} if "model_id" in row else row)


def _any_base(original: Any, name: str) -> str:
    known: str = original(name if name in SEEDS else NAME)
    return known


def _first_of_session(original: Any, app_state: Any, caller: Any, body: dict[str, Any], given: wire.CreateModel) -> Any:
    """The models of a session have the id of its first."""
    rows = app_state.service.database.all(
        "SELECT id FROM commands WHERE lane = ? AND kind = 'create_model' ORDER BY rowid", f"{given.session_id}/models"
    )
    return rows[0]["id"] if rows else original(app_state, caller, body, given)


def _unknown_crashes(original: Any, self: ModelStore, user: str, model: str) -> Any:
    try:
        return original(self, user, model)
    except UserError as error:
        raise RuntimeError(error.message) from None


def _repaired_sample(original: Any, body: dict[str, Any], model: Any) -> Any:
    """Parameters of sampling that are out of range mean the default."""
    try:
        return original(body, model)
    except UserError:
        if model is not wire.Sample or not isinstance(body.get("sampling_params"), dict):
            raise
        return original({**body, "sampling_params": {"max_tokens": 4}}, model)


def _never_greedy(original: Any, app_state: Any, given: wire.SamplingParams, prompt: int) -> Any:
    options = original(app_state, given, prompt)
    return replace(options, temperature=options.temperature or 1.0)


def _narrow_ppo() -> None:
    LOSSES["ppo"] = replace(LOSSES["ppo"], config={CLIP[0]: 0.9, CLIP[1]: 1.1})  # type: ignore[index]


def _second_crashes(original: Any, base: Any, state: Any, given: Any) -> Any:
    if state.gradients is not None:
        raise RuntimeError("gradient buffer is in use")
    return original(base, state, given)


def _without_logprobs(original: Any, value: float, outputs: list[Any], tokens: int) -> dict[str, Any]:
    made: dict[str, Any] = original(value, [{} for _ in outputs], tokens)
    return made


def _without_path(original: Any, self: Save, context: Any) -> Any:
    run = original(self, context)

    def unnamed(state: Any) -> Done:
        done: Done = run(state)
        return replace(done, result={name: one for name, one in done.result.items() if name != "path"})

    return unnamed


MUTANTS = (
    Mutant(
        "healthz_needs_a_key", breaks="102", what="healthz needs a key",
        patch=around_handler(tinker_sessions.Healthz, "get", _needs_key), dialects=TINKER,
    ),
    Mutant(
        "capabilities_list_a_retired_model", breaks="103", what="a model is listed of which none can be created",
        patch=around_handler(tinker_sessions.Capabilities, "get", _more_models), dialects=TINKER,
    ),
    Mutant(
        "key_is_optional", breaks="104", what="a request without a key is taken as the first user's",
        patch=_caller(_key_is_optional), dialects=TINKER,
    ),
    Mutant(
        "any_key_is_taken", breaks="106", what="an unknown key is taken as the first user's", patch=_caller(_any_key),
        dialects=TINKER,
    ),
    Mutant(
        "session_body_before_key", breaks="107", what="create_session validates the body before the key",
        patch=around_handler(tinker_sessions.CreateSession, "post", _body_first), dialects=TINKER,
    ),
    Mutant(
        "rank_misreported", breaks="042", what="weights_info returns another rank",
        patch=around_handler(tinker_sessions.WeightsInfo, "post", _another_rank), dialects=TINKER,
    ),
    Mutant(
        "info_of_another_model", breaks="042", what="get_info names another model",
        patch=around_handler(tinker_sessions.GetInfo, "post", _another_model), dialects=TINKER,
    ),
    Mutant(
        "models_share_an_id", breaks="115", also=("*",), what="all models of a session have the id of the first",
        patch=around(tinker_sessions, "create_model", _first_of_session), dialects=TINKER,
    ),
    Mutant(
        "any_base_model", breaks="117", what="an unsupported base model is taken for the default",
        patch=around(tinker_works, "check_base", _any_base), dialects=TINKER,
    ),
    Mutant(
        "unknown_model_500", breaks="130", also=("028",), what="an unknown model is a server error",
        patch=around(ModelStore, "find", _unknown_crashes), dialects=TINKER,
    ),
    Mutant(
        "sampling_unchecked", breaks="149", also=("032", "033"), what="parameters of sampling that are out of range are ignored",
        patch=around(tinker_sessions, "validate", _repaired_sample), dialects=TINKER,
    ),
    Mutant(
        "greedy_is_drawn", breaks="150", what="temperature 0 is taken for 1",
        patch=around(tinker_works, "sampling_options", _never_greedy), dialects=TINKER,
    ),
    Mutant(
        "second_backward_crashes", breaks="200", also=("*",), what="a second forward_backward before a step is a server error",
        patch=around(training_step, "forward_backward", _second_crashes), dialects=TINKER,
    ),
    Mutant(
        "outputs_are_empty", breaks="201", also=("*",), what="the outputs of forward and forward_backward have no logprobs",
        patch=around(training_step, "described", _without_logprobs), dialects=TINKER,
    ),
    Mutant(
        "save_returns_no_path", breaks="201", also=("018", "019", "020", "022"), what="the result of a save has no path",
        patch=around(Save, "prepare", _without_path), dialects=TINKER,
    ),
    Mutant(
        "narrow_ppo_default", breaks="204", what="ppo clips at 0.9 and 1.1 by default", patch=_narrow_ppo, dialects=TINKER,
    ),
)  # fmt: skip
