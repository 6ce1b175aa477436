"""The listings of the dialect `tinker-json`: sessions, models (training runs), checkpoints, samplers. Everyone sees what is their own."""

import datetime
from collections.abc import Sequence
from typing import Any

from starlette.endpoints import HTTPEndpoint
from starlette.requests import Request
from starlette.responses import Response

from rollout_conformance.contracts.training.wire_tinker import SetTtl
from rollout_conformance.rollout_server.common.responses import json_response
from rollout_conformance.rollout_server.training import checkpoints, errors
from rollout_conformance.rollout_server.training.app_state import AppState
from rollout_conformance.rollout_server.training.checkpoints import SAMPLER_WEIGHTS, WEIGHTS, Path
from rollout_conformance.rollout_server.training.database import Row
from rollout_conformance.rollout_server.training.key_store import Caller
from rollout_conformance.rollout_server.training.model_store import about_of
from rollout_conformance.rollout_server.training.request_input import api_key_caller, read_json, state_of, validate

PAGE, MOST = 20, 1000


def moment(seconds: float | None) -> str | None:
    return None if seconds is None else datetime.datetime.fromtimestamp(seconds, datetime.UTC).isoformat()


def page(request: Request, rows: Sequence[Any]) -> tuple[Sequence[Any], dict[str, int]]:
    """One page, and the cursor of the response. Raises `UserError` 400."""
    limit, offset = number(request, "limit", PAGE), number(request, "offset", 0)
    if limit > MOST:
        raise errors.invalid(f"limit is more than {MOST}")
    return rows[offset : offset + limit], {"offset": offset, "limit": limit, "total_count": len(rows)}


def number(request: Request, name: str, default: int) -> int:
    text = request.query_params.get(name, str(default))
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise errors.invalid(f"{name} must be an integer of at least 0")
    return int(text)


def checkpoint(row: Row) -> dict[str, Any]:
    path = checkpoints.path_of(row)
    return {
        "checkpoint_id": f"{path.kind}/{path.name}",
        "checkpoint_type": "training" if path.kind == WEIGHTS else "sampler",
        "time": moment(row["created_at"]),
        "tinker_path": str(path),
        "size_bytes": row["size"],
        "public": checkpoints.is_public(row),
        "expires_at": moment(row["expires_at"]),
    }


def training_run(app_state: AppState, row: Row) -> dict[str, Any]:
    own = [checkpoint(one) for one in app_state.service.checkpoints.of_model(row["user"], row["id"])]
    latest = {one["checkpoint_type"]: one for one in own}
    about = about_of(row)
    return {
        "training_run_id": row["id"],
        "base_model": row["base_model"],
        "model_owner": row["user"],
        "is_lora": True,
        "lora_rank": about["lora_rank"],
        "corrupted": False,
        "last_request_time": moment(row["updated_at"]),
        "last_checkpoint": latest.get("training"),
        "last_sampler_checkpoint": latest.get("sampler"),
        "user_metadata": about["user_metadata"],
    }


def models_of(app_state: AppState, user: str) -> list[Row]:
    """Those of this dialect: they belong to a session."""
    return [row for row in app_state.service.models.of_user(user) if row["session"] is not None]


def model(app_state: AppState, caller: Caller, request: Request) -> Row:
    row = app_state.service.models.find(caller.user, request.path_params["model_id"])
    if row["session"] is None:
        raise errors.no_such("training run")
    return row


class TrainingRuns(HTTPEndpoint):
    async def get(self, request: Request) -> Response:
        app_state, caller = state_of(request), api_key_caller(request)
        rows, cursor = page(request, models_of(app_state, caller.user))
        return json_response({"training_runs": [training_run(app_state, row) for row in rows], "cursor": cursor})


class TrainingRun(HTTPEndpoint):
    async def get(self, request: Request) -> Response:
        app_state, caller = state_of(request), api_key_caller(request)
        return json_response(training_run(app_state, model(app_state, caller, request)))


class RunCheckpoints(HTTPEndpoint):
    async def get(self, request: Request) -> Response:
        app_state, caller = state_of(request), api_key_caller(request)
        row = model(app_state, caller, request)
        found = app_state.service.checkpoints.of_model(caller.user, row["id"])
        return json_response({"checkpoints": [checkpoint(one) for one in found]})


def path_in(app_state: AppState, caller: Caller, request: Request) -> Path:
    """The checkpoint that the path of a request means. Raises `UserError` 404."""
    row, kind = model(app_state, caller, request), request.path_params["kind"]
    if kind not in (WEIGHTS, SAMPLER_WEIGHTS):
        raise errors.no_such("checkpoint")
    return Path(row["id"], kind, request.path_params["name"])


class RunCheckpoint(HTTPEndpoint):
    async def delete(self, request: Request) -> Response:
        app_state, caller = state_of(request), api_key_caller(request)
        app_state.service.checkpoints.remove(caller.user, path_in(app_state, caller, request))
        return Response(status_code=204)


class Lifetime(HTTPEndpoint):
    """Sets when a checkpoint expires, or with null that it never does."""

    async def put(self, request: Request) -> Response:
        app_state, caller = state_of(request), api_key_caller(request)
        given = validate(await read_json(request), SetTtl)
        app_state.service.checkpoints.set_lifetime(caller.user, path_in(app_state, caller, request), given.ttl_seconds)
        return Response(status_code=204)


class Publication(HTTPEndpoint):
    """Makes a checkpoint public, or private again. A public one can be read with any key, and changed with none but its owner's."""

    async def post(self, request: Request) -> Response:
        return self.set(request, public=True)

    async def delete(self, request: Request) -> Response:
        return self.set(request, public=False)

    def set(self, request: Request, *, public: bool) -> Response:
        app_state, caller = state_of(request), api_key_caller(request)
        app_state.service.checkpoints.set_public(caller.user, path_in(app_state, caller, request), public)
        return Response(status_code=204)


class UserCheckpoints(HTTPEndpoint):
    async def get(self, request: Request) -> Response:
        app_state, caller = state_of(request), api_key_caller(request)
        rows, cursor = page(request, list(app_state.service.checkpoints.of_user(caller.user)))
        return json_response({"checkpoints": [checkpoint(row) for row in rows], "cursor": cursor})


class Sessions(HTTPEndpoint):
    async def get(self, request: Request) -> Response:
        app_state, caller = state_of(request), api_key_caller(request)
        rows, cursor = page(request, app_state.service.models.sessions(caller.user))
        return json_response({"sessions": [row["id"] for row in rows], "cursor": cursor})


class Session(HTTPEndpoint):
    async def get(self, request: Request) -> Response:
        app_state, caller = state_of(request), api_key_caller(request)
        session = app_state.service.models.session(caller.user, request.path_params["session_id"])["id"]
        runs = [row["id"] for row in models_of(app_state, caller.user) if row["session"] == session]
        samplers = app_state.service.database.all("SELECT id FROM samplers WHERE session = ?", session)
        return json_response({"training_run_ids": runs, "sampler_ids": [row["id"] for row in samplers]})


class FinishSession(HTTPEndpoint):
    """Ends it: heartbeats and training are answered with 410 from then on; checkpoints stay. It can be repeated."""

    async def post(self, request: Request) -> Response:
        app_state, caller = state_of(request), api_key_caller(request)
        if request.headers.get("content-length", "0") != "0":
            await read_json(request)
        app_state.service.end_session(caller.user, request.path_params["session_id"])
        return json_response({"session_id": request.path_params["session_id"], "status": "finished"})


class Sampler(HTTPEndpoint):
    async def get(self, request: Request) -> Response:
        app_state, caller = state_of(request), api_key_caller(request)
        row = app_state.service.database.one("SELECT * FROM samplers WHERE id = ?", request.path_params["sampler_id"])
        if row is None or row["user"] != caller.user:
            raise errors.no_such("sampler")
        return json_response({"sampler_id": row["id"], "base_model": row["base_model"], "model_path": row["path"]})
