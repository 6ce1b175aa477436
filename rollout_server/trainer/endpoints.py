"""One class for each path, so that a wrong method is answered with 405 and the allowed ones (RFC 9110, 15.5.6)."""

from collections.abc import Mapping
from typing import Any, cast

from pydantic import SecretStr, TypeAdapter, ValidationError
from starlette.endpoints import HTTPEndpoint
from starlette.requests import Request
from starlette.responses import Response

from rollout_conformance.contracts.rollout.wire import ServerUrl
from rollout_conformance.contracts.trainer import wire
from rollout_conformance.rollout_server.common import auth, request_parsing
from rollout_conformance.rollout_server.common.responses import json_response
from rollout_conformance.rollout_server.trainer import errors, naming, start_request
from rollout_conformance.rollout_server.trainer.service import Service
from rollout_conformance.rollout_server.trainer.session import Session

_url: TypeAdapter[str] = TypeAdapter(ServerUrl)


def service_of(request: Request) -> Service:
    return cast(Service, request.app.state.service)


class Health(HTTPEndpoint):
    async def get(self, request: Request) -> Response:
        note_address(request)
        return json_response({"status": "healthy"})


class Rollouts(HTTPEndpoint):
    async def post(self, request: Request) -> Response:
        service = service_of(request)
        if service.app_state.settings.rollouts != "control":
            raise errors.no_control()
        check_control(request)
        body = await read(request)
        session = service.start(read_start(body, own_url(request), request))
        return json_response({"rollout_id": session.rollout_id}, 202)


class Rollout(HTTPEndpoint):
    async def get(self, request: Request) -> Response:
        check_control(request)
        return json_response(service_of(request).sessions.find(request.path_params["rollout_id"]).record())


class ChatCompletions(HTTPEndpoint):
    async def post(self, request: Request) -> Response:
        body = await read(request)
        if service_of(request).app_state.settings.rollout_id_in != naming.BODY:
            body = {**body, "rollout_id": rollout_id_of(request, body)}  # as if the body had named it
        session = opened(request, body) or session_of(request, body)
        validate(wire.ChatRequest, body if session.dialect == "sync" else without_mask(body))
        return json_response(await service_of(request).answer(session, body))


class Completed(HTTPEndpoint):
    async def post(self, request: Request) -> Response:
        body = await read(request)
        session = session_of(request, body)
        validate(wire.Completed, body)
        return json_response(service_of(request).complete(session, body))


async def read(request: Request) -> dict[str, Any]:
    """The body as a JSON object. Raises `RequestError` 400 or 413, or `ApiError` 422."""
    body = request_parsing.parse(
        await request_parsing.read_body(request, service_of(request).app_state.settings.body_limit)
    )
    if not isinstance(body, dict):
        raise errors.not_an_object()
    return body


def validate(model: Any, body: Mapping[str, Any]) -> None:
    try:
        model.model_validate(body)
    except ValidationError as error:
        raise errors.invalid(error) from error


def read_start(body: Mapping[str, Any], own: str, request: Request) -> start_request.StartPlan:
    settings = service_of(request).app_state.settings
    try:
        tokenizer = settings.tokenizer_name or str(settings.tokenizer.resolve())
        return start_request.read(body, own, tokenizer, settings.rollout_id_in)
    except ValidationError as error:
        raise errors.invalid(error) from error


def session_of(request: Request, body: Mapping[str, Any]) -> Session:
    """The session of the request. Raises `ApiError`: 404 for an unknown id, 401 without the key of the session."""
    session = service_of(request).sessions.find(rollout_id_of(request, body))
    check_key(request, session.key)
    return session


def rollout_id_of(request: Request, body: Mapping[str, Any]) -> str:
    service = service_of(request)
    return naming.rollout_id_of(service.app_state.settings.rollout_id_in, request, body, service.sessions)


def opened(request: Request, body: Mapping[str, Any]) -> Session | None:
    """A new session where any new rollout id begins one, with a valid request; else None. Raises `ApiError` 401, 422 and 429."""
    service, rollout_id = service_of(request), body.get("rollout_id")
    settings = service.app_state.settings
    if settings.rollouts != "open" or not isinstance(rollout_id, str) or service.sessions.has(rollout_id):
        return None
    check_key(request, service.key_of_open(rollout_id))
    validate(wire.ChatRequest, body if settings.dialects[0] == "sync" else without_mask(body))
    return service.open(rollout_id, body["messages"], tools_of(body))


def tools_of(body: Mapping[str, Any]) -> list[Any]:
    """The tools of a generation request; anything else under that name is an unknown member, and ignored."""
    tools = body.get("tools")
    return tools if isinstance(tools, list) and all(map(is_tool, tools)) else []


def is_tool(value: object) -> bool:
    function = value.get("function") if isinstance(value, dict) else None
    return isinstance(function, dict) and isinstance(function.get("name"), str)


def note_address(request: Request) -> None:
    """A trainer that starts rollouts by itself gives the address that it was first reached at, unless it is configured with one."""
    address = service_of(request).address
    if address is not None and not address.done():
        address.set_result(own_url(request))


def without_mask(body: Mapping[str, Any]) -> dict[str, Any]:
    """In the callback dialect `response_mask` is an unknown member, which is ignored."""
    return {name: value for name, value in body.items() if name != "response_mask"}


def check_key(request: Request, key: str | None) -> None:
    if not auth.is_allowed(request, key):
        raise errors.unauthorized()


def check_control(request: Request) -> None:
    check_key(request, secret_value(service_of(request).app_state.settings.control_key))


def secret_value(value: SecretStr | None) -> str | None:
    return value.get_secret_value() if value else None


def own_url(request: Request) -> str:
    """The URL for rollout servers: as configured, else from the Host header. Raises `ApiError` 400."""
    configured = service_of(request).app_state.settings.public_url
    return configured or url_of_host(request)


def url_of_host(request: Request) -> str:
    try:
        return _url.validate_python(f"{request.url.scheme}://{request.headers.get('host', '')}")
    except ValidationError as error:
        raise errors.no_host() from error
