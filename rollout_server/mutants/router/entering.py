"""Defects at the door: who is let in, who may see what, and which bodies are taken."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from sqlalchemy import true
from starlette.requests import Request
from starlette.responses import Response

from rollout_conformance.rollout_server.common import request_parsing
from rollout_conformance.rollout_server.mutants.framework import around, put
from rollout_conformance.rollout_server.mutants.router.planting import mutant
from rollout_conformance.rollout_server.router import (
    api_keys,
    credentials,
    endpoints,
    errors,
    failover,
    request_auth,
    request_validation,
    sql,
)
from rollout_conformance.rollout_server.router.api_keys import Key
from rollout_conformance.rollout_server.router.errors import RouterError
from rollout_conformance.rollout_server.router.key_store import Ledger
from rollout_conformance.rollout_server.router.request_validation import Asked


def _text(original: Any, request: Request) -> bytes | None:
    found = original(request)
    return found.decode("ascii").encode() if found is not None else None


def _bearer_first(original: Any, request: Request) -> Any:
    found = credentials.values(request, b"authorization")
    return credentials.of_bearer(found[0]) if found else original(request)


async def _free_bearer(original: Any, request: Request, scope: str | None) -> Key:
    key: Key = await original(request, scope)
    return replace(key, rps=None, budget_tokens=None) if "authorization" in request.headers else key


async def _anybody(original: Any, self: Ledger, hashed: str) -> Key:
    return await original(self, hashed) or Key("key-0", "nobody", frozenset({"inference"}))


async def _body_first(request: Request, path: str) -> Asked:
    raw = await request_auth.read_body(request)
    body = request_parsing.parse(raw)
    key = await request_auth.authenticate(request, "inference")
    request_auth.admit(request, key)
    request_auth.check_signature(request, raw)
    return request_validation.asked(path, body, raw, request.state.request_id, key)


async def _backend_first(original: Any, request: Request, path: str) -> Asked:
    """The models are asked for on behalf of a stranger, whose request is then sent on before it is refused."""
    try:
        return await original(request, path)  # type: ignore[no-any-return]
    except RouterError as error:
        kit = request_auth.kit_of(request)
        if error.status == 401 and kit.fleet.backends:
            reply = await kit.upstream.ask(kit.fleet.backends[0], path, b"{}", {"Content-Type": "application/json"})
            reply.close()
        raise


def _with_key(endpoint: Any) -> Callable[[], None]:
    original = endpoint.get

    async def get(self: Any, request: Request) -> Response:
        await request_auth.authenticate(request, None)
        return await original(self, request)  # type: ignore[no-any-return]

    return put(endpoint, "get", get)


def _admins_only(original: Any, key: Key, scope: str) -> None:
    if scope == "admin":
        original(key, scope)


def _raw_json(body: bytes) -> Any:
    return json.loads(body)


def _wrong(status: int, message: str, headers: Any = None) -> RouterError:
    return RouterError(404 if status == 405 else status, "not_found", message)


def _silent(original: Any, status: int, message: str, headers: Any = None) -> Any:
    return original(status, message)


async def _key_told(original: Any, request: Request, scope: str | None) -> Any:
    try:
        return await original(request, scope)
    except RouterError as error:
        error.message += f": {(credentials.presented(request) or b'none').decode('latin-1')}"
        raise


MUTANTS = (
    mutant("key_in_refusal", "the key is quoted", around(request_auth, "authenticate", _key_told), "010"),
    mutant("key_bytes_500", "a key outside ASCII is an error", around(credentials, "presented", _text), "011"),
    mutant(
        "revoked_still_valid",
        "a revoked key goes on to be valid",
        around(api_keys, "is_valid", lambda o, key, now: o(key and replace(key, revoked=False), now)),
        "050",
    ),
    mutant(
        "expired_still_valid",
        "a key that has expired goes on to be valid",
        around(api_keys, "is_valid", lambda o, key, now: o(key and replace(key, expires_at=None), now)),
        "050",
    ),
    mutant("any_key_valid", "whatever is shown is a key", around(Ledger, "key", _anybody), "011", ("022",)),
    mutant(
        "backend_before_auth", "a stranger reaches a backend", around(request_auth, "read_asked", _backend_first), "011"
    ),
    mutant(
        "bearer_not_counted",
        "no limit for a Bearer",
        around(request_auth, "authenticate", _free_bearer),
        "019",
        ("021",),
    ),
    mutant("bearer_wins", "Authorization is read first", around(credentials, "presented", _bearer_first), "022"),
    mutant("auth_after_body", "strangers learn about bodies", put(request_auth, "read_asked", _body_first), "011"),
    mutant("signature_unchecked", "any signature is good", put(credentials, "signs", lambda *_: True), "064"),
    mutant(
        "admin_needs_no_scope", "every key may operate", put(api_keys, "check_scope", lambda *_: None), "025", ("051",)
    ),
    mutant("any_scope_generates", "an operator's key generates", around(api_keys, "check_scope", _admins_only), "051"),
    mutant("audit_of_any_org", "records of others are shown", put(sql, "is_own", lambda _: true()), "027"),
    mutant("metrics_need_key", "no numbers without a key", _with_key(endpoints.Metrics), "023"),
    mutant("health_needs_key", "no health without a key", _with_key(endpoints.Health), "023"),
    mutant(
        "body_limit_off_by_one",
        "the last byte of a body is one too many",
        around(request_parsing, "read_body", lambda original, request, limit: original(request, limit - 1)),
        "013",
    ),
    mutant(
        "bad_json_500", "what is no JSON is an error of the server", put(request_parsing, "parse", _raw_json), "012"
    ),
    mutant(
        "model_unchecked", "a request without a model", put(request_validation, "check_model", lambda _: None), "012"
    ),
    mutant(
        "messages_unchecked", "a chat of no messages", put(request_validation, "check_messages", lambda _: None), "012"
    ),
    mutant(
        "prompt_unchecked", "a completion of nothing", put(request_validation, "check_prompt", lambda _: None), "049"
    ),
    mutant(
        "unknown_model_500",
        "an unknown model is an error",
        put(failover, "missing", lambda _: errors.internal()),
        "012",
    ),
    mutant("wrong_method_404", "a wrong method is a wrong path", put(errors, "of_status", _wrong), "024"),
    mutant("no_allow_header", "the right methods are not told", around(errors, "of_status", _silent), "024"),
)
