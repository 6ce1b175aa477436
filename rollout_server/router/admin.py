"""The endpoints of operators, for keys with the scope `admin`. Changes apply to the next request."""

import secrets
from typing import Any

from pydantic import Field, SecretStr, ValidationError
from starlette.endpoints import HTTPEndpoint
from starlette.requests import Request
from starlette.responses import Response

from rollout_conformance.rollout_server.common.errors import problems
from rollout_conformance.rollout_server.common.responses import json_response
from rollout_conformance.rollout_server.router import api_keys, errors, planner, request_auth
from rollout_conformance.rollout_server.router.app_state import DECISIONS
from rollout_conformance.rollout_server.router.request_auth import authenticate, state_of
from rollout_conformance.rollout_server.router.settings import Limits

SCOPE = "admin"
DEFAULT_LIMIT = 50


class KeyRequest(Limits):
    """A key to create. Without `key` a random one is created."""

    key: SecretStr | None = Field(default=None, min_length=16)


class Backends(HTTPEndpoint):
    async def get(self, request: Request) -> Response:
        await authorize(request)
        pool = state_of(request).pool
        pool.refresh()
        return listing([backend.describe() for backend in pool.backends])


class Degrade(HTTPEndpoint):
    async def post(self, request: Request) -> Response:
        await authorize(request)
        reason = (await request_auth.read_object(request)).get("reason")
        if not isinstance(reason, str | None):
            raise errors.invalid("reason", "reason must be a string")
        return json_response(state_of(request).pool.degrade(request.path_params["name"], reason).describe())


class Heal(HTTPEndpoint):
    async def post(self, request: Request) -> Response:
        await authorize(request)
        return json_response(state_of(request).pool.heal(request.path_params["name"]).describe())


class Decisions(HTTPEndpoint):
    """The latest first."""

    async def get(self, request: Request) -> Response:
        await authorize(request)
        count = limit(request.query_params.get("limit"))
        return listing(list(reversed(state_of(request).decisions))[:count])


def limit(value: str | None) -> int:
    if value is None:
        return DEFAULT_LIMIT
    if not (value.isascii() and value.isdigit() and len(value) < 9 and 1 <= int(value) <= DECISIONS):
        raise errors.invalid("limit", f"limit must be a number from 1 to {DECISIONS}")
    return int(value)


class Keys(HTTPEndpoint):
    async def get(self, request: Request) -> Response:
        await authorize(request)
        return listing([key.describe() for key in await state_of(request).key_store.keys()])

    async def post(self, request: Request) -> Response:
        """The only response that contains the key."""
        await authorize(request)
        key_request = read(await request_auth.read_object(request))
        secret = key_request.key.get_secret_value() if key_request.key else f"sk-{secrets.token_urlsafe(32)}"
        key = await state_of(request).key_store.add(api_keys.row(key_request, api_keys.digest(secret.encode())))
        return json_response({**key.describe(), "key": secret}, 201)


class Key(HTTPEndpoint):
    async def delete(self, request: Request) -> Response:
        await authorize(request)
        key_id = request.path_params["key_id"]
        await state_of(request).key_store.revoke(key_id)
        return json_response({"id": key_id, "object": "key", "revoked": True})


class Planner(HTTPEndpoint):
    async def get(self, request: Request) -> Response:
        await authorize(request)
        app_state = state_of(request)
        return json_response(
            planner.plan(app_state.load, len(app_state.pool.usable()), app_state.settings.backend_capacity)
        )


async def authorize(request: Request) -> None:
    await authenticate(request, SCOPE)


def listing(items: list[dict[str, Any]]) -> Response:
    return json_response({"object": "list", "data": items, "count": len(items)})


def read(body: dict[str, Any]) -> KeyRequest:
    try:
        return KeyRequest.model_validate(body)
    except ValidationError as error:
        first = problems(error)[0]
        path = ".".join(str(step) for step in first["loc"][1:])
        raise errors.invalid(path or None, f"{path or 'body'}: {first['msg']}") from None
