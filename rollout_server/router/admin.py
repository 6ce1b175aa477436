"""What operators may see and do, with a key of the scope `admin`. What they change holds for the next request."""

import secrets
from typing import Any

from pydantic import Field, SecretStr, ValidationError
from starlette.endpoints import HTTPEndpoint
from starlette.requests import Request
from starlette.responses import Response

from rollout_conformance.rollout_server.common import request_parsing
from rollout_conformance.rollout_server.router import api_keys, errors, planner, request_auth
from rollout_conformance.rollout_server.router.app_state import DECISIONS
from rollout_conformance.rollout_server.router.request_auth import authenticate, kit_of
from rollout_conformance.rollout_server.router.responses import json_response
from rollout_conformance.rollout_server.router.settings import Limits

SCOPE = "admin"
SHOWN = 50


class Wanted(Limits):
    """A key to create. Without a secret of its own it gets a good one."""

    key: SecretStr | None = Field(default=None, min_length=16)


class Backends(HTTPEndpoint):
    async def get(self, request: Request) -> Response:
        await authorize(request)
        return listing([backend.described() for backend in kit_of(request).fleet.backends])


class Degrade(HTTPEndpoint):
    async def post(self, request: Request) -> Response:
        await authorize(request)
        reason = (await request_auth.read_object(request)).get("reason")
        if not isinstance(reason, str | None):
            raise errors.invalid("reason", "reason must be a text")
        return json_response(kit_of(request).fleet.degrade(request.path_params["name"], reason).described())


class Heal(HTTPEndpoint):
    async def post(self, request: Request) -> Response:
        await authorize(request)
        return json_response(kit_of(request).fleet.heal(request.path_params["name"]).described())


class Decisions(HTTPEndpoint):
    """The latest first."""

    async def get(self, request: Request) -> Response:
        await authorize(request)
        count = limit(request.query_params.get("limit"))
        return listing(list(reversed(kit_of(request).decisions))[:count])


def limit(value: str | None) -> int:
    if value is None:
        return SHOWN
    if not (value.isascii() and value.isdigit() and len(value) < 9 and 1 <= int(value) <= DECISIONS):
        raise errors.invalid("limit", f"limit must be a number from 1 to {DECISIONS}")
    return int(value)


class Keys(HTTPEndpoint):
    async def get(self, request: Request) -> Response:
        await authorize(request)
        return listing([key.described() for key in await kit_of(request).ledger.keys()])

    async def post(self, request: Request) -> Response:
        """The only answer that ever has the key itself."""
        await authorize(request)
        wanted = read(await request_auth.read_object(request))
        secret = wanted.key.get_secret_value() if wanted.key else f"sk-{secrets.token_urlsafe(32)}"
        key = await kit_of(request).ledger.add(api_keys.row(wanted, api_keys.digest(secret.encode())))
        return json_response({**key.described(), "key": secret}, 201)


class Key(HTTPEndpoint):
    async def delete(self, request: Request) -> Response:
        await authorize(request)
        key_id = request.path_params["key_id"]
        await kit_of(request).ledger.revoke(key_id)
        return json_response({"id": key_id, "object": "key", "revoked": True})


class Planner(HTTPEndpoint):
    async def get(self, request: Request) -> Response:
        await authorize(request)
        kit = kit_of(request)
        return json_response(planner.plan(kit.running, len(kit.fleet.usable()), kit.settings.backend_capacity))


async def authorize(request: Request) -> None:
    await authenticate(request, SCOPE)


def listing(items: list[dict[str, Any]]) -> Response:
    return json_response({"object": "list", "data": items, "count": len(items)})


def read(body: dict[str, Any]) -> Wanted:
    try:
        return Wanted.model_validate(body)
    except ValidationError as error:
        first = request_parsing.complaints(error)[0]
        place = ".".join(str(step) for step in first["loc"][1:])
        raise errors.invalid(place or None, f"{place or 'body'}: {first['msg']}") from None
