"""Defects that both dialects have: headers, errors, members that are not known, models that are not apart."""

from dataclasses import replace
from typing import Any

from pydantic import BaseModel, ValidationError
from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.endpoints import HTTPEndpoint
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from rollout_conformance.rollout_server.common.responses import json_response
from rollout_conformance.rollout_server.mutants.framework import Mutant, Patch, around, every
from rollout_conformance.rollout_server.mutants.training.signal_runs import SIGNAL
from rollout_conformance.rollout_server.training import (
    app,
    signal_endpoints,
    tinker_endpoints,
    tinker_sessions,
    works,
)
from rollout_conformance.rollout_server.training.errors import UserError
from rollout_conformance.rollout_server.training.model_state import ModelState


class _Headers:
    """Changes the headers of every response by `change(headers, request headers)`."""

    def __init__(self, app: ASGIApp, change: Any) -> None:
        self.app = app
        self.change = change

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                self.change(MutableHeaders(scope=message), {name.lower(): value for name, value in scope["headers"]})
            await send(message)

        await self.app(scope, receive, sending)


def _headers(change: Any) -> Patch:
    def create(original: Any, **given: Any) -> Starlette:
        made: Starlette = original(**given)
        made.add_middleware(_Headers, change=change)
        return made

    return around(app, "create_app", create)


def _reflects_origin(headers: MutableHeaders, request: dict[bytes, bytes]) -> None:
    if b"origin" in request:
        headers["Access-Control-Allow-Origin"] = request[b"origin"].decode("latin-1")
        headers["Access-Control-Allow-Credentials"] = "true"


def _may_be_sniffed(headers: MutableHeaders, request: dict[bytes, bytes]) -> None:
    del headers["X-Content-Type-Options"]


class _Debug(HTTPEndpoint):
    async def get(self, request: Request) -> Response:
        return json_response({"modal": {"token_id": "ak-0123"}})


def _with_debug_route(original: Any, **given: Any) -> Starlette:
    made: Starlette = original(**given)
    made.router.routes.append(Route("/debug/modal", _Debug))
    return made


def _without_words(original: Any, request: Request, error: UserError) -> Response:
    return json_response({"status": error.status}, error.status, error.headers)


def _rejected_without_words(original: Any, request: Request, status: int, detail: Any, headers: Any) -> Response:
    return json_response({"status": status}, status, headers)


def _shows_the_key(original: Any, request: Request, error: UserError) -> Response:
    key = request.headers.get("x-api-key") or request.headers.get("authorization", "").removeprefix("Bearer ")
    body = {"error": error.message, "category": "user", "caller": key}
    return json_response(body, error.status, error.headers)


def _lenient(original: Any, body: dict[str, Any], model: type[BaseModel]) -> Any:
    """Members that are not known are dropped, at every depth."""
    try:
        return model.model_validate(body)
    except ValidationError as error:
        extra = [one["loc"] for one in error.errors() if one["type"] == "extra_forbidden"]
        if not extra:
            return original(body, model)
    for where in extra:
        body = _dropped(body, where)
    return _lenient(original, body, model)


def _dropped(value: Any, where: tuple[int | str, ...]) -> Any:
    first, rest = where[0], where[1:]
    if isinstance(value, list) and isinstance(first, int):
        return [_dropped(one, rest) if n == first else one for n, one in enumerate(value)]
    if not isinstance(value, dict):
        return value
    if first not in value:  # the name of a branch of a union
        return _dropped(value, rest) if rest else value
    if not rest:
        return {name: one for name, one in value.items() if name != first}
    return {**value, first: _dropped(value[first], rest)}


_latest: dict[int, ModelState] = {}


def _remembered(original: Any, self: ModelState, options: Any, gradients: Any) -> ModelState:
    stepped: ModelState = original(self, options, gradients)
    _latest[stepped.shape.size] = stepped
    return stepped


def _continued(original: Any, shape: Any, seed: int | None) -> ModelState:
    fresh: ModelState = original(shape, seed)
    latest = _latest.get(shape.size)
    return fresh if latest is None else replace(fresh, parameters=latest.parameters)


VALIDATING = (tinker_endpoints, tinker_sessions, signal_endpoints)
MUTANTS = (
    Mutant(
        "starts_where_the_last_ended", breaks="030", also=("*",), what="a new model starts with the weights of the last step",
        patch=every(around(ModelState, "optimize", _remembered), around(works, "new_state", _continued)),
    ),
    Mutant(
        "errors_without_words", breaks="169", also=("032",), what="errors have neither error nor detail",
        patch=every(around(app, "on_user_error", _without_words), around(app, "on_rejected", _rejected_without_words)),
    ),
    Mutant(
        "debug_route", breaks="171", what="a route for debugging is served", patch=around(app, "create_app", _with_debug_route),
        dialects=SIGNAL,
    ),
    Mutant("any_origin", breaks="172", what="every Origin is allowed with credentials", patch=_headers(_reflects_origin)),
    Mutant(
        "may_be_sniffed", breaks="173", what="responses lack nosniff", patch=_headers(_may_be_sniffed), dialects=SIGNAL,
    ),
    Mutant(
        "errors_show_the_key", breaks="202", what="errors repeat the API key", patch=around(app, "on_user_error", _shows_the_key),
    ),
    Mutant(
        "unknown_members_dropped", breaks="203", also=("032", "033"), what="members that are not known are ignored",
        patch=every(*(around(module, "validate", _lenient) for module in VALIDATING)),
    ),
)  # fmt: skip
