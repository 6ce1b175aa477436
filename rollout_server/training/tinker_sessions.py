"""The requests of the dialect `tinker-json` that make and describe: sessions, models, sampling sessions, samples."""

import uuid
from typing import Any

from starlette.endpoints import HTTPEndpoint
from starlette.requests import Request
from starlette.responses import Response

from rollout_conformance.contracts.training import wire_tinker as wire
from rollout_conformance.rollout_server.common.responses import json_response
from rollout_conformance.rollout_server.training import checkpoints, errors, tinker_works, works
from rollout_conformance.rollout_server.training.adapter import Shape
from rollout_conformance.rollout_server.training.app_state import AppState
from rollout_conformance.rollout_server.training.base_model import MAX_CONTEXT, SEEDS
from rollout_conformance.rollout_server.training.command_log import Command
from rollout_conformance.rollout_server.training.key_store import Caller
from rollout_conformance.rollout_server.training.model_store import about_of
from rollout_conformance.rollout_server.training.request_input import api_key_caller, read_json, state_of, validate
from rollout_conformance.rollout_server.training.tinker_endpoints import accepted, answer, clean

DEFAULT_RANK = 32


class Healthz(HTTPEndpoint):
    async def get(self, request: Request) -> Response:
        return json_response({"status": "ok"})


class Capabilities(HTTPEndpoint):
    async def get(self, request: Request) -> Response:
        api_key_caller(request)
        models = [{"model_name": name, "max_context_length": MAX_CONTEXT} for name in SEEDS]
        return json_response({"supported_models": models})


class ClientConfig(HTTPEndpoint):
    async def post(self, request: Request) -> Response:
        api_key_caller(request)
        await read_json(request)
        return json_response({"pjwt_auth_enabled": False, "parallel_fwdbwd_chunks": True})


class Telemetry(HTTPEndpoint):
    async def post(self, request: Request) -> Response:
        api_key_caller(request)
        validate(await read_json(request), wire.Telemetry)
        return json_response({"status": "accepted"})


class CreateSession(HTTPEndpoint):
    async def post(self, request: Request) -> Response:
        app_state, caller = state_of(request), api_key_caller(request)
        given = validate(await read_json(request), wire.CreateSession)
        about = {"tags": given.tags, "user_metadata": given.user_metadata}
        session = app_state.service.models.create_session(caller.user, about)
        return json_response({"type": "create_session", "session_id": session})


class Heartbeat(HTTPEndpoint):
    async def post(self, request: Request) -> Response:
        app_state, caller = state_of(request), api_key_caller(request)
        given = validate(await read_json(request), wire.Heartbeat)
        app_state.service.models.touch(caller.user, given.session_id)
        return json_response({"type": "session_heartbeat"})


class CreateModel(HTTPEndpoint):
    async def post(self, request: Request) -> Response:
        app_state, caller = state_of(request), api_key_caller(request)
        body = await read_json(request)
        return accepted(create_model(app_state, caller, body, validate(body, wire.CreateModel)))


def create_model(app_state: AppState, caller: Caller, body: dict[str, Any], given: wire.CreateModel) -> str:
    service = app_state.service
    service.models.touch(caller.user, given.session_id)
    lora = given.lora_config or wire.LoraConfig(rank=DEFAULT_RANK)
    check_lora(app_state, lora)
    base = tinker_works.check_base(given.base_model)
    lane = f"{given.session_id}/models"
    command = Command(caller.user, lane, "create_model", clean(body), str(given.model_seq_id))
    if known := service.commands.earlier(command):
        return known
    if service.models.count(caller.user) >= app_state.settings.max_models:
        raise errors.limited("Too many models; unload one")

    def make() -> dict[str, Any]:
        model, about = str(uuid.uuid4()), {"lora_rank": lora.rank, "user_metadata": given.user_metadata}
        state = works.new_state(Shape(lora.rank), lora.seed)
        service.models.add(caller.user, given.session_id, base, about, state, model)
        return {"type": "create_model", "model_id": model}

    return service.finished(command, make)


class LoadWeights(HTTPEndpoint):
    """Into a model that exists, or with a session in place of a model: into a new one."""

    async def post(self, request: Request) -> Response:
        app_state, caller = state_of(request), api_key_caller(request)
        body = await read_json(request)
        if body.get("model_id") is None and body.get("session_id") is not None:
            return accepted(create_from_weights(app_state, caller, body, validate(body, wire.CreateFromWeights)))
        return answer(app_state, caller, "load_weights", body)


def create_from_weights(
    app_state: AppState, caller: Caller, body: dict[str, Any], given: wire.CreateFromWeights
) -> str:
    service = app_state.service
    service.models.touch(caller.user, given.session_id)
    command = Command(
        caller.user, f"{given.session_id}/models", "create_from_weights", clean(body), str(given.model_seq_id)
    )
    if known := service.commands.earlier(command):
        return known
    if given.weights_access_token is not None:
        raise errors.not_implemented("weights_access_token")
    row = service.checkpoints.readable(caller.user, checkpoints.parse_path(given.path))
    base = str(checkpoints.about_of(row)["base_model"])
    if given.base_model not in (None, base):
        raise errors.not_implemented("A base_model other than that of the checkpoint")
    if service.models.count(caller.user) >= app_state.settings.max_models:
        raise errors.limited("Too many models; unload one")
    saved = service.checkpoints.read(row)
    state = works.new_state(saved.shape, None).load(saved, optimizer=given.optimizer)

    def make() -> dict[str, Any]:
        model = f"{given.session_id}:train:{given.model_seq_id}"
        about = {"lora_rank": saved.shape.rank, "user_metadata": given.user_metadata}
        service.models.add(caller.user, given.session_id, base, about, state, model)
        service.models.write(model, None, state)
        return {"type": "load_weights", "path": given.path, "model_id": model}

    return service.finished(command, make)


def check_lora(app_state: AppState, lora: wire.LoraConfig) -> None:
    if lora.rank > app_state.settings.max_rank:
        raise errors.invalid(f"lora_config.rank is more than {app_state.settings.max_rank}")
    for name in ("train_unembed", "train_mlp", "train_attn"):
        if not getattr(lora, name):
            raise errors.not_implemented(f"lora_config.{name} false")


class GetInfo(HTTPEndpoint):
    async def post(self, request: Request) -> Response:
        app_state, caller = state_of(request), api_key_caller(request)
        given = validate(await read_json(request), wire.ModelRequest)
        row = app_state.service.models.find(caller.user, given.model_id)
        data = {"arch": "softmax", "model_name": row["base_model"], "tokenizer_id": app_state.codec.name}
        lora = {"is_lora": True, "lora_rank": about_of(row)["lora_rank"], "model_name": row["base_model"]}
        return json_response({"type": "get_info", "model_data": data, "model_id": given.model_id, **lora})


class CreateSamplingSession(HTTPEndpoint):
    async def post(self, request: Request) -> Response:
        app_state, caller = state_of(request), api_key_caller(request)
        body = await read_json(request)
        given = validate(body, wire.CreateSamplingSession)
        sampler = create_sampling_session(app_state, caller, body, given)
        return json_response({"type": "create_sampling_session", "sampling_session_id": sampler})


def create_sampling_session(
    app_state: AppState, caller: Caller, body: dict[str, Any], given: wire.CreateSamplingSession
) -> str:
    service = app_state.service
    service.models.touch(caller.user, given.session_id)
    base, file = tinker_works.weights_of(app_state, caller.user, given.base_model, given.model_path)
    sampler = tinker_works.sampler_id(given.session_id, given.sampling_session_seq_id)
    number = str(given.sampling_session_seq_id)
    command = Command(caller.user, f"{given.session_id}/samplers", "create_sampling_session", clean(body), number)

    def make() -> dict[str, Any]:
        works.add_sampler(service.context(caller.user, "", base), sampler, given.session_id, given.model_path, file)
        return {"sampling_session_id": sampler}

    service.finished(command, make)
    return sampler


class Sample(HTTPEndpoint):
    async def post(self, request: Request) -> Response:
        app_state, caller = state_of(request), api_key_caller(request)
        body = await read_json(request)
        given = validate(body, wire.Sample)
        request_id = sample(app_state, caller, body, given)
        # The SDK 0.38 names sequences by these; a repeated request has the same.
        return accepted(request_id, sample_sequence_ids=[f"{request_id}:{n}" for n in range(given.num_samples)])


def sample(app_state: AppState, caller: Caller, body: dict[str, Any], given: wire.Sample) -> str:
    """Not ordered: the weights that it samples from never change."""
    if given.sampling_session_id is not None and given.seq_id is None:
        raise errors.invalid("seq_id is needed with sampling_session_id")
    work, base = tinker_works.sample(app_state, caller.user, given)
    number = None if given.sampling_session_id is None else str(given.seq_id)
    lane = given.sampling_session_id or f"samples/{caller.user}"
    command = Command(caller.user, lane, "asample", clean(body), number)
    return app_state.service.submit(command, work, model=None, base=base)


class WeightsInfo(HTTPEndpoint):
    async def post(self, request: Request) -> Response:
        app_state, caller = state_of(request), api_key_caller(request)
        given = validate(await read_json(request), wire.WeightsInfo)
        row = app_state.service.checkpoints.readable(caller.user, checkpoints.parse_path(given.tinker_path))
        about = checkpoints.about_of(row)
        parts = {"train_unembed": True, "train_mlp": True, "train_attn": True}
        return json_response({"base_model": about["base_model"], "is_lora": True, "lora_rank": about["rank"], **parts})
