"""The requests of the dialect `tinker-json` that train: each is accepted at once, and its result is read by `retrieve_future`."""

import asyncio
import json
from typing import Any

from pydantic import BaseModel
from starlette.endpoints import HTTPEndpoint
from starlette.requests import Request
from starlette.responses import Response

from rollout_conformance.contracts.training import wire_tinker as wire
from rollout_conformance.contracts.training.wire_protobuf import CONTENT_TYPE
from rollout_conformance.rollout_server.common import json_text
from rollout_conformance.rollout_server.common.errors import RequestError
from rollout_conformance.rollout_server.common.responses import json_response
from rollout_conformance.rollout_server.training import tinker_protobuf, tinker_works
from rollout_conformance.rollout_server.training.app_state import AppState
from rollout_conformance.rollout_server.training.command_log import COMPLETED, Command
from rollout_conformance.rollout_server.training.errors import UserError
from rollout_conformance.rollout_server.training.key_store import Caller
from rollout_conformance.rollout_server.training.request_input import (
    api_key_caller,
    json_object,
    read_bytes,
    read_json,
    state_of,
    validate,
)

BRIEF_BODY = 4096  # bytes


def accepted(request_id: str, **more: Any) -> Response:
    return json_response({"request_id": request_id, "future_id": request_id, "status": "pending", **more})


async def read_call(request: Request, kind: str) -> tuple[str, dict[str, Any]]:
    """The kind and the body, which forward_backward may have in protobuf. Raises `UserError`, `RequestError`."""
    in_protobuf = kind == "forward_backward" and tinker_protobuf.is_sent(request.headers.get("content-type", ""))
    app_state, caller = state_of(request), api_key_caller(request)
    raw = await read_bytes(request)
    try:
        return await parsed_message(raw) if in_protobuf else (kind, json_object(raw))
    except (UserError, RequestError):
        spend(app_state, caller, tinker_protobuf.numbers(raw) if in_protobuf else numbers(raw))
        raise


async def parsed_message(raw: bytes) -> tuple[str, dict[str, Any]]:
    if len(raw) <= BRIEF_BODY:
        return tinker_protobuf.request(raw)
    # On a thread: many small members take long, and other requests must not wait for them.
    return await asyncio.to_thread(tinker_protobuf.request, raw)


def numbers(raw: bytes) -> dict[str, Any]:
    """What shows the number of a call that cannot be read: a NaN is not JSON, and leaves the rest of it readable."""
    try:
        found = json.loads(raw)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def endpoint(kind: str) -> type[HTTPEndpoint]:
    """The endpoint of one kind of request to a model."""

    class Submit(HTTPEndpoint):
        async def post(self, request: Request) -> Response:
            app_state, caller = state_of(request), api_key_caller(request)
            own, body = await read_call(request, kind)
            return answer(app_state, caller, own, body)

    return Submit


def answer(app_state: AppState, caller: Caller, kind: str, body: dict[str, Any]) -> Response:
    """The response to a submit. Raises `UserError`, `RequestError`."""
    try:
        return accepted(submit(app_state, caller, kind, body, validate(body, SUBMITS[kind])))
    except (UserError, RequestError):
        spend(app_state, caller, body)
        raise


def submit(app_state: AppState, caller: Caller, kind: str, body: dict[str, Any], given: Any) -> str:
    """The id of the request. Raises `UserError`."""
    service = app_state.service
    row = service.models.find(caller.user, given.model_id)
    if row["session"] is not None:
        service.models.touch(caller.user, row["session"])
    seq = given.seq_id if hasattr(given, "seq_id") else None
    command = Command(caller.user, given.model_id, kind, clean(body), None if seq is None else str(seq), seq)
    if known := service.commands.earlier(command):
        return known
    work = tinker_works.build(app_state, caller.user, row, kind, given)
    return service.submit(command, work, model=given.model_id, base=row["base_model"])


def clean(body: dict[str, Any]) -> dict[str, Any]:
    """Without nulls: a client may write a member that it does not use, or leave it out."""
    return {name: value for name, value in body.items() if value is not None}


def spend(app_state: AppState, caller: Caller, body: dict[str, Any]) -> None:
    """A refused request has used its number: clients never send it again."""
    model, seq = body.get("model_id"), body.get("seq_id")
    if not isinstance(model, str) or not isinstance(seq, int) or isinstance(seq, bool):
        return
    try:
        app_state.service.models.find(caller.user, model)
    except UserError:
        return
    app_state.service.spend(model, seq)


def wants_protobuf(request: Request) -> bool:
    return tinker_protobuf.is_wanted(request.headers.get("accept", ""))


class RetrieveFuture(HTTPEndpoint):
    """Holds the request until the result is there, or for `poll_s`."""

    async def post(self, request: Request) -> Response:
        app_state, caller = state_of(request), api_key_caller(request)
        given = validate(await read_json(request), wire.RetrieveFuture)
        row = await app_state.service.result(caller.user, given.request_id, app_state.settings.poll_s)
        if row["status"] == "pending":
            body = {"type": "try_again", "request_id": given.request_id, "queue_state": "active"}
            return json_response({**body, "error": "The request has not finished yet", "category": "server"}, 408)
        if row["status"] == COMPLETED and row["kind"] in tinker_protobuf.RESULTS and wants_protobuf(request):
            return Response(
                tinker_protobuf.result(row["kind"], json_text.loads(bytes(row["result"]))), media_type=CONTENT_TYPE
            )
        return Response(bytes(row["result"]), media_type="application/json")


SUBMITS: dict[str, type[BaseModel]] = {
    "forward": wire.Forward,
    "forward_backward": wire.ForwardBackward,
    "optim_step": wire.OptimStep,
    "save_weights": wire.SaveWeights,
    "save_weights_for_sampler": wire.SaveWeightsForSampler,
    "load_weights": wire.LoadWeights,
    "unload_model": wire.ModelRequest,
}
