"""Defects of headers and request ids."""

import gzip
import re
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import replace
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from rollout_conformance.rollout_server.mutants.framework import (
    Mutant,
    add,
    around,
    every,
    put,
)
from rollout_conformance.rollout_server.router import (
    backend_client,
    endpoints,
    errors,
    failover,
    request_auth,
    service,
)
from rollout_conformance.rollout_server.router.backend_pool import Backend
from rollout_conformance.rollout_server.router.failover import OpenResponse

HOP = ("connection", "keep-alive", "te", "upgrade", "proxy-authorization", "x-rc-hop")


KEYS = ("authorization", "x-api-key")


_given: ContextVar[tuple[tuple[str, str], ...]] = ContextVar("given", default=())


async def _noted(original: Any, request: Request, path: str) -> Any:
    """Keeps the client's headers for the patches below."""
    _given.set(tuple(request.headers.items()))
    return await original(request, path)


def _copying(which: Callable[[str], bool]) -> Callable[[], None]:
    def headers(original: Any, *arguments: Any) -> dict[str, str]:
        return {**original(*arguments), **{name: value for name, value in _given.get() if which(name)}}

    def patch() -> None:
        around(request_auth, "read_inference", _noted)()
        around(backend_client, "headers", headers)()

    return patch


def _of_one_connection(name: str) -> bool:
    named = [one.strip().lower() for one in dict(_given.get()).get("connection", "").split(",")]
    return name in HOP or name in named


def _packed() -> None:
    def answered(original: Any, answer: Any) -> Response:
        response: Response = original(answer)
        if dict(_given.get()).get("accept-encoding") == "gzip":
            response = Response(gzip.compress(answer.body), answer.status, answer.headers)
        return response

    around(request_auth, "read_inference", _noted)()
    around(service, "to_response", answered)()


def _without_retry(original: Any, opened: Any) -> dict[str, str]:
    return {name: value for name, value in original(opened).items() if name != "Retry-After"}


async def _asked_a_backend(self: Any, request: Request) -> Response:
    state = request_auth.state_of(request)
    asked = state.client.session().request(
        request.method, f"{state.pool.backends[0].spec.url}{request.url.path}?{request.url.query}"
    )
    async with asked as reply:
        return Response(await reply.read(), reply.status)


async def _broken(self: Any, request: Request) -> Response:
    raise RuntimeError


_tried: ContextVar[list[str]] = ContextVar("tried")


async def _first_attempt(original: Any, *arguments: Any) -> Any:
    _tried.set([])
    return await original(*arguments)


def _once(original: Any, backend: Backend) -> dict[str, str]:
    """The key is in the first request only."""
    tried = _tried.get([])
    tried.append(backend.spec.name)
    return dict(original(backend)) if len(tried) < 2 else {}


def _with_backend_key(original: Any, opened: OpenResponse) -> dict[str, str]:
    return dict(original(opened)) | {"X-Backend": str(backend_client.credentials(opened.choice.backend))}


def _of_the_first(original: Callable[[Backend], dict[str, str]]) -> Callable[[Backend], dict[str, str]]:
    """The credentials that were set for the first backend stay in the requests to the others."""
    kept: dict[str, str] = {}

    def credentials(backend: Backend) -> dict[str, str]:
        kept.update({} if kept else original(backend))
        return dict(kept)

    return credentials


MUTANTS = (
    Mutant(
        "request_id_made_anew",
        breaks="042",
        also=("027", "063"),
        what="X-Request-Id is not echoed",
        patch=put(request_auth, "request_id", lambda _: "req-0"),
    ),
    Mutant(
        "backend_gets_other_id",
        breaks="043",
        what="the backend gets another X-Request-Id",
        patch=around(
            backend_client,
            "headers",
            lambda original, inference, streams: original(replace(inference, request_id="req-0"), streams),
        ),
    ),
    Mutant(
        "errors_without_id",
        breaks="044",
        what="errors have no request_id",
        patch=around(errors, "envelope", lambda original, error, _=None: original(error)),
    ),
    Mutant(
        "any_id_taken",
        breaks="045",
        what="any X-Request-Id is accepted",
        patch=put(request_auth, "REQUEST_ID", re.compile(r"(?s).*")),
    ),
    Mutant(
        "keys_passed_on",
        breaks="052",
        what="client keys are forwarded to backends",
        patch=_copying(lambda name: name in KEYS),
    ),
    Mutant(
        "one_key_for_all_backends",
        breaks="069",
        also=("071",),
        what="every backend receives the key of the first one",
        patch=put(backend_client, "credentials", _of_the_first(backend_client.credentials)),
    ),
    Mutant(
        "key_of_first_attempt_only",
        breaks="071",
        what="a backend that is tried second receives no key",
        patch=every(
            around(failover, "open_first", _first_attempt),
            around(backend_client, "credentials", _once),
        ),
    ),
    Mutant(
        "backend_key_shown",
        breaks="010",
        what="a response has the key of its backend in a header",
        patch=around(service, "headers", _with_backend_key),
    ),
    Mutant(
        "hop_headers_passed_on",
        breaks="053",
        what="hop-by-hop headers are forwarded",
        patch=_copying(_of_one_connection),
    ),
    Mutant(
        "retry_after_lost",
        breaks="054",
        what="Retry-After is not forwarded",
        patch=around(service, "headers", _without_retry),
    ),
    Mutant("packed_untold", breaks="055", what="a body is compressed without Content-Encoding", patch=_packed),
    Mutant(
        "options_forwarded",
        breaks="056",
        what="OPTIONS is forwarded to a backend",
        patch=add(endpoints.ChatCompletions, "options", _asked_a_backend),
    ),
    Mutant(
        "head_forwarded",
        breaks="056",
        what="HEAD is forwarded to a backend",
        patch=add(endpoints.ChatCompletions, "head", _asked_a_backend),
    ),
    Mutant("head_fails", breaks="056", what="HEAD is a server error", patch=add(endpoints.Health, "head", _broken)),
)
