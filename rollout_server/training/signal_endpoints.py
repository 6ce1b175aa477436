"""The endpoints of the dialect `signal`: runs, training calls in two forms, and futures."""

import datetime
import uuid
from typing import Any

from pydantic import BaseModel
from starlette.endpoints import HTTPEndpoint
from starlette.requests import Request
from starlette.responses import Response

from rollout_conformance.contracts.training import wire_signal as wire
from rollout_conformance.rollout_server.common import json_text
from rollout_conformance.rollout_server.common.responses import json_response
from rollout_conformance.rollout_server.training import checkpoints, errors, signal_works, works
from rollout_conformance.rollout_server.training.adapter import Shape
from rollout_conformance.rollout_server.training.app_state import AppState
from rollout_conformance.rollout_server.training.base_model import MAX_CONTEXT, SEEDS
from rollout_conformance.rollout_server.training.command_log import COMPLETED, FAILED, PENDING, Command
from rollout_conformance.rollout_server.training.database import Row
from rollout_conformance.rollout_server.training.model_store import about_of
from rollout_conformance.rollout_server.training.request_input import bearer_caller, read_json, state_of, validate
from rollout_conformance.rollout_server.training.tinker_endpoints import clean

OPTIMIZERS = ("adamw", "adamw_8bit")
MODULES = ("lm_head",)
SEED = 0  # of every adapter: the API has none, and runs of one configuration begin equal
RUNNING, ENDED = "running", "completed"


class Root(HTTPEndpoint):
    async def get(self, request: Request) -> Response:
        return json_response({"name": "Signal API", "version": "0.1.0", "status": "running"})


class Health(HTTPEndpoint):
    async def get(self, request: Request) -> Response:
        return json_response({"status": "healthy"})


class Models(HTTPEndpoint):
    async def get(self, request: Request) -> Response:
        return json_response({"models": list(SEEDS)})


def moment(seconds: float) -> str:
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC).isoformat().replace("+00:00", "Z")


class Runs(HTTPEndpoint):
    async def post(self, request: Request) -> Response:
        app_state, caller = state_of(request), bearer_caller(request)
        given = validate(await read_json(request), wire.RunConfig)
        check(app_state, caller.user, given)
        return json_response(create(app_state, caller.user, given))

    async def get(self, request: Request) -> Response:
        app_state, caller = state_of(request), bearer_caller(request)
        rows = app_state.service.models.of_user(caller.user)
        return json_response({"runs": [described(row) for row in rows if is_run(row)]})


def check(app_state: AppState, user: str, given: wire.RunConfig) -> None:
    if given.base_model not in SEEDS:
        raise errors.invalid(f"The model {given.base_model} is not supported; GET /models lists those that are")
    if given.optimizer not in OPTIMIZERS:
        raise errors.invalid(f"optimizer is not one of {', '.join(OPTIMIZERS)}")
    if given.lora_target_modules not in (None, list(MODULES)):
        raise errors.not_implemented(f"lora_target_modules other than {list(MODULES)}")
    if app_state.service.models.count(user) >= app_state.settings.max_runs:
        raise errors.limited("Too many runs; complete one")


def create(app_state: AppState, user: str, given: wire.RunConfig) -> dict[str, Any]:
    run = f"run_{uuid.uuid4().hex[:16]}"
    config = {**given.model_dump(), "max_seq_length": min(given.max_seq_length, MAX_CONTEXT)}
    state = works.new_state(Shape(given.lora_r, float(given.lora_alpha)), SEED)
    service = app_state.service
    with service.database.transaction():
        service.models.add(user, None, given.base_model, {"config": config}, state, run)
    return described(service.models.find(user, run))


def is_run(row: Row) -> bool:
    return str(row["id"]).startswith("run_")


def described(row: Row) -> dict[str, Any]:
    return {
        "run_id": row["id"],
        "user_id": row["user"],
        "base_model": row["base_model"],
        "status": row["status"],
        "current_step": row["step"],
        "created_at": moment(row["created_at"]),
        "updated_at": moment(row["updated_at"]),
        "config": about_of(row)["config"],
    }


def own_run(app_state: AppState, user: str, request: Request) -> Row:
    """Raises `UserError` 404, for another user's run as for none."""
    row = app_state.service.models.find(user, request.path_params["run_id"])
    if not is_run(row):
        raise errors.no_such("run")
    return row


class Status(HTTPEndpoint):
    async def get(self, request: Request) -> Response:
        app_state, caller = state_of(request), bearer_caller(request)
        return json_response(described(own_run(app_state, caller.user, request)))


class RunMetrics(HTTPEndpoint):
    async def get(self, request: Request) -> Response:
        app_state, caller = state_of(request), bearer_caller(request)
        row = own_run(app_state, caller.user, request)
        found = app_state.service.database.all("SELECT * FROM metrics WHERE model = ? ORDER BY nth", row["id"])
        entries = [dict(json_text.loads(one["entry"])) for one in found]
        return json_response({"run_id": row["id"], "step": row["step"], "metrics": entries})


class Artifacts(HTTPEndpoint):
    async def get(self, request: Request) -> Response:
        app_state, caller = state_of(request), bearer_caller(request)
        row = own_run(app_state, caller.user, request)
        found = app_state.service.checkpoints.of_model(caller.user, row["id"])
        return json_response({"run_id": row["id"], "artifacts": [artifact(one) for one in found]})


def artifact(row: Row) -> dict[str, Any]:
    path, about = checkpoints.path_of(row), checkpoints.about_of(row)
    return {
        "id": path.name,
        "step": about["step"],
        "mode": path.name.rpartition("-")[2],
        "artifact_uri": f"signal://{path.model}/{path.name}",
        "created_at": moment(row["created_at"]),
        "file_size_bytes": row["size"],
    }


class Complete(HTTPEndpoint):
    async def post(self, request: Request) -> Response:
        app_state, caller = state_of(request), bearer_caller(request)
        row = own_run(app_state, caller.user, request)
        app_state.service.models.set_status(row["id"], ENDED)
        return json_response({"success": True, "run_id": row["id"], "status": ENDED})


KINDS: dict[str, type[BaseModel]] = {
    "forward_backward": wire.ForwardBackward,
    "optim_step": wire.OptimStep,
    "sample": wire.Sample,
    "save_state": wire.SaveState,
}


async def submit(request: Request, kind: str) -> tuple[AppState, str, str]:
    """The user and the id of the accepted request. Raises `UserError`."""
    app_state, caller = state_of(request), bearer_caller(request)
    own_run(app_state, caller.user, request)
    body = await read_json(request)
    row = own_run(app_state, caller.user, request)
    return app_state, caller.user, submit_body(app_state, caller.user, row, kind, body)


def submit_body(app_state: AppState, user: str, run: Row, kind: str, body: dict[str, Any]) -> str:
    """The id of the accepted request. Raises `UserError`."""
    given: Any = validate(body, KINDS[kind])
    own_id = getattr(given, "request_id", None)
    command = Command(user, run["id"], f"signal_{kind}", clean(body), own_id)
    if known := app_state.service.commands.earlier(command):
        return known
    if run["status"] != RUNNING:
        raise errors.conflict(f"The run is {run['status']}")
    work = signal_works.build(app_state, run, kind, given)
    return app_state.service.submit(command, work, model=run["id"], base=run["base_model"])


async def finished_result(app_state: AppState, user: str, request_id: str) -> Row:
    """Raises `UserError` 503 when its turn has not come in time."""
    row = await app_state.service.result(user, request_id, app_state.settings.result_wait_s)
    if row["status"] == PENDING:
        raise errors.UserError(503, "The run is busy; try again later", {"Retry-After": "1"})
    return row


def blocking(kind: str) -> type[HTTPEndpoint]:
    """The endpoint that answers with the result."""

    class Call(HTTPEndpoint):
        async def post(self, request: Request) -> Response:
            app_state, user, request_id = await submit(request, kind)
            row = await finished_result(app_state, user, request_id)
            return Response(bytes(row["result"]), row["code"], media_type="application/json")

    return Call


def deferred(kind: str) -> type[HTTPEndpoint]:
    """The endpoint that answers with a future."""

    class Call(HTTPEndpoint):
        async def post(self, request: Request) -> Response:
            _, _, request_id = await submit(request, kind)
            return json_response({"future_id": request_id, "status": PENDING})

    return Call


class Future(HTTPEndpoint):
    async def get(self, request: Request) -> Response:
        app_state, caller = state_of(request), bearer_caller(request)
        row = app_state.service.commands.find(caller.user, request.path_params["future_id"])
        if row["status"] == PENDING:
            return json_response({"status": PENDING})
        result = json_text.loads(bytes(row["result"]))
        if row["status"] == FAILED:
            return json_response({"status": FAILED, "error": result["error"]})
        return json_response({"status": COMPLETED, "result": result})

    async def delete(self, request: Request) -> Response:
        app_state, caller = state_of(request), bearer_caller(request)
        future_id = request.path_params["future_id"]
        status = app_state.service.cancel(caller.user, future_id)
        return json_response({"status": "cancelled" if status else "error", "future_id": future_id})


class Keys(HTTPEndpoint):
    async def get(self, request: Request) -> Response:
        app_state, caller = state_of(request), bearer_caller(request)
        return json_response({"keys": app_state.keys.list(caller.user)})

    async def post(self, request: Request) -> Response:
        app_state, caller = state_of(request), bearer_caller(request)
        given = validate(await read_json(request), wire.NewKey)
        return json_response(app_state.keys.create(caller.user, given.description), 201)


class Key(HTTPEndpoint):
    async def delete(self, request: Request) -> Response:
        app_state, caller = state_of(request), bearer_caller(request)
        app_state.keys.revoke(caller.user, request.path_params["key_id"])
        return json_response({"revoked": True, "id": request.path_params["key_id"]})
