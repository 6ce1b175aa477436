"""Defects of keys, scopes and signatures."""

from dataclasses import replace
from typing import Any

from starlette.requests import Request

from rollout_conformance.rollout_server.common.auth import bearer_token, header_values
from rollout_conformance.rollout_server.common.errors import ApiError
from rollout_conformance.rollout_server.mutants.framework import Mutant, around, put
from rollout_conformance.rollout_server.router import (
    api_keys,
    credentials,
    request_auth,
)
from rollout_conformance.rollout_server.router.api_keys import Key
from rollout_conformance.rollout_server.router.key_store import KeyStore
from rollout_conformance.rollout_server.router.request_validation import InferenceRequest


def _text(original: Any, request: Request) -> bytes | None:
    found = original(request)
    return found.decode("ascii").encode() if found is not None else None


def _bearer_first(original: Any, request: Request) -> Any:
    found = header_values(request, b"authorization")
    return bearer_token(found[0]) if found else original(request)


async def _anybody(original: Any, self: KeyStore, hashed: str) -> Key:
    return await original(self, hashed) or Key("key-0", "nobody", frozenset({"inference"}))


def _completed(original: Any, request: Request) -> bytes | None:
    """The first key that begins as the one of the request."""
    found = original(request)
    known = [spec.key.get_secret_value().encode() for spec in request_auth.state_of(request).settings.keys]
    return next((key for key in known if found and key.startswith(found)), found)


async def _backend_first(original: Any, request: Request, path: str) -> InferenceRequest:
    """A request without a valid key reaches a backend before it is rejected."""
    try:
        return await original(request, path)  # type: ignore[no-any-return]
    except ApiError as error:
        app_state = request_auth.state_of(request)
        if error.status == 401 and app_state.pool.backends:
            reply = await app_state.client.ask(
                app_state.pool.backends[0], path, b"{}", {"Content-Type": "application/json"}
            )
            reply.close()
        raise


def _admins_only(original: Any, key: Key, scope: str) -> None:
    if scope == "admin":
        original(key, scope)


async def _key_told(original: Any, request: Request, scope: str | None) -> Any:
    try:
        return await original(request, scope)
    except ApiError as error:
        error.message += f": {(credentials.presented_key(request) or b'none').decode('latin-1')}"
        raise


MUTANTS = (
    Mutant(
        "key_in_refusal",
        breaks="010",
        what="an error message contains the key",
        patch=around(request_auth, "authenticate", _key_told),
    ),
    Mutant(
        "key_bytes_500",
        breaks="011",
        what="a key outside ASCII is a server error",
        patch=around(credentials, "presented_key", _text),
    ),
    Mutant(
        "any_key_valid",
        breaks="011",
        also=("022",),
        what="any key is accepted",
        patch=around(KeyStore, "key", _anybody),
    ),
    Mutant(
        "beginning_of_a_key_valid",
        breaks="011",
        what="the beginning of a key is accepted as the key",
        patch=around(credentials, "presented_key", _completed),
    ),
    Mutant(
        "backend_before_auth",
        breaks="011",
        what="a backend is contacted before the key is checked",
        patch=around(request_auth, "read_inference", _backend_first),
    ),
    Mutant(
        "bearer_wins",
        breaks="022",
        what="Authorization takes precedence over X-API-Key",
        patch=around(credentials, "presented_key", _bearer_first),
    ),
    Mutant(
        "admin_needs_no_scope",
        breaks="025",
        also=("051",),
        what="every key may use the admin endpoints",
        patch=put(api_keys, "check_scope", lambda *_: None),
    ),
    Mutant(
        "revoked_still_valid",
        breaks="050",
        what="a revoked key stays valid",
        patch=around(api_keys, "is_valid", lambda o, key, now: o(key and replace(key, revoked=False), now)),
    ),
    Mutant(
        "expired_still_valid",
        breaks="050",
        what="an expired key stays valid",
        patch=around(api_keys, "is_valid", lambda o, key, now: o(key and replace(key, expires_at=None), now)),
    ),
    Mutant(
        "any_scope_generates",
        breaks="051",
        what="a key without the scope inference may generate",
        patch=around(api_keys, "check_scope", _admins_only),
    ),
    Mutant(
        "signature_unchecked",
        breaks="064",
        what="any signature is accepted",
        patch=put(credentials, "is_signature", lambda *_: True),
    ),
)
