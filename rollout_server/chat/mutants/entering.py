"""Defects at the door: who is let in, who may see what, and which bodies are taken."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from sqlalchemy import true
from starlette.requests import Request
from starlette.responses import Response

from rollout_conformance.rollout_server import intake
from rollout_conformance.rollout_server.chat import (
    checks,
    credentials,
    endpoints,
    entrance,
    errors,
    keys,
    records,
    relay,
)
from rollout_conformance.rollout_server.chat.checks import Asked
from rollout_conformance.rollout_server.chat.errors import RouterError
from rollout_conformance.rollout_server.chat.keys import Key
from rollout_conformance.rollout_server.chat.ledger import Ledger
from rollout_conformance.rollout_server.chat.mutants.planting import mutant
from rollout_conformance.rollout_server.mutants.mutant import around, put


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
    raw = await entrance.read_body(request)
    body = intake.parse(raw)
    key = await entrance.authenticate(request, "inference")
    entrance.admit(request, key)
    entrance.check_signature(request, raw)
    return checks.asked(path, body, raw, request.state.request_id, key)


async def _backend_first(original: Any, request: Request, path: str) -> Asked:
    """The models are asked for on behalf of a stranger, whose request is then sent on before it is refused."""
    try:
        return await original(request, path)  # type: ignore[no-any-return]
    except RouterError as error:
        kit = entrance.kit_of(request)
        if error.status == 401 and kit.fleet.backends:
            reply = await kit.upstream.ask(kit.fleet.backends[0], path, b"{}", {"Content-Type": "application/json"})
            reply.close()
        raise


def _with_key(endpoint: Any) -> Callable[[], None]:
    original = endpoint.get

    async def get(self: Any, request: Request) -> Response:
        await entrance.authenticate(request, None)
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
    mutant("key_in_refusal", "the key is quoted", around(entrance, "authenticate", _key_told), "010"),
    mutant("key_bytes_500", "a key outside ASCII is an error", around(credentials, "presented", _text), "011"),
    mutant(
        "revoked_still_valid",
        "a revoked key goes on to be valid",
        around(keys, "is_valid", lambda o, key, now: o(key and replace(key, revoked=False), now)),
        "050",
    ),
    mutant(
        "expired_still_valid",
        "a key that has expired goes on to be valid",
        around(keys, "is_valid", lambda o, key, now: o(key and replace(key, expires_at=None), now)),
        "050",
    ),
    mutant("any_key_valid", "whatever is shown is a key", around(Ledger, "key", _anybody), "011", ("022",)),
    mutant(
        "backend_before_auth", "a stranger reaches a backend", around(entrance, "read_asked", _backend_first), "011"
    ),
    mutant(
        "bearer_not_counted", "no limit for a Bearer", around(entrance, "authenticate", _free_bearer), "019", ("021",)
    ),
    mutant("bearer_wins", "Authorization is read first", around(credentials, "presented", _bearer_first), "022"),
    mutant("auth_after_body", "strangers learn about bodies", put(entrance, "read_asked", _body_first), "011"),
    mutant("signature_unchecked", "any signature is good", put(credentials, "signs", lambda *_: True), "064"),
    mutant("admin_needs_no_scope", "every key may operate", put(keys, "check_scope", lambda *_: None), "025", ("051",)),
    mutant("any_scope_generates", "an operator's key generates", around(keys, "check_scope", _admins_only), "051"),
    mutant("audit_of_any_org", "records of others are shown", put(records, "is_own", lambda _: true()), "027"),
    mutant("metrics_need_key", "no numbers without a key", _with_key(endpoints.Metrics), "023"),
    mutant("health_needs_key", "no health without a key", _with_key(endpoints.Health), "023"),
    mutant(
        "body_limit_off_by_one",
        "the last byte of a body is one too many",
        around(intake, "read_body", lambda original, request, limit: original(request, limit - 1)),
        "013",
    ),
    mutant("bad_json_500", "what is no JSON is an error of the server", put(intake, "parse", _raw_json), "012"),
    mutant("model_unchecked", "a request without a model", put(checks, "check_model", lambda _: None), "012"),
    mutant("messages_unchecked", "a chat of no messages", put(checks, "check_messages", lambda _: None), "012"),
    mutant("prompt_unchecked", "a completion of nothing", put(checks, "check_prompt", lambda _: None), "049"),
    mutant(
        "unknown_model_500",
        "an unknown model is an error",
        put(relay, "missing", lambda _: errors.internal()),
        "012",
    ),
    mutant("wrong_method_404", "a wrong method is a wrong path", put(errors, "of_status", _wrong), "024"),
    mutant("no_allow_header", "the right methods are not told", around(errors, "of_status", _silent), "024"),
)
