"""Defects of headers: what an engine must not get, what a client misses, and bodies that are not what their headers say."""

import gzip
import re
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import replace
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from rollout_conformance.rollout_server.mutants.framework import around, put
from rollout_conformance.rollout_server.mutants.router.planting import mutant
from rollout_conformance.rollout_server.router import backend_client, endpoints, errors, request_auth, service

HOP = ("connection", "keep-alive", "te", "upgrade", "proxy-authorization", "x-rc-hop")
KEYS = ("authorization", "x-api-key")

_given: ContextVar[tuple[tuple[str, str], ...]] = ContextVar("given", default=())


async def _noted(original: Any, request: Request, path: str) -> Any:
    """What the client sent is at hand wherever its request is served."""
    _given.set(tuple(request.headers.items()))
    return await original(request, path)


def _copying(which: Callable[[str], bool]) -> Callable[[], None]:
    def headers(original: Any, *arguments: Any) -> dict[str, str]:
        return {**original(*arguments), **{name: value for name, value in _given.get() if which(name)}}

    def patch() -> None:
        around(request_auth, "read_asked", _noted)()
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

    around(request_auth, "read_asked", _noted)()
    around(service, "answered", answered)()


def _without_retry(original: Any, opened: Any) -> dict[str, str]:
    return {name: value for name, value in original(opened).items() if name != "Retry-After"}


async def _broken(self: Any, request: Request) -> Response:
    raise RuntimeError


MUTANTS = (
    mutant("keys_passed_on", "backends get the key of the client", _copying(lambda name: name in KEYS), "052"),
    mutant("hop_headers_passed_on", "headers of one connection go on", _copying(_of_one_connection), "053"),
    mutant("packed_untold", "a body is packed, and nothing says so", _packed, "055"),
    mutant("retry_after_lost", "when to come again is not told", around(service, "headers", _without_retry), "054"),
    mutant("head_fails", "HEAD is an error of the server", put(endpoints.Health, "head", _broken), "056"),
    mutant(
        "backend_gets_other_id",
        "the backend gets an id of its own",
        around(
            backend_client,
            "headers",
            lambda original, asked, streams: original(replace(asked, request_id="req-0"), streams),
        ),
        "043",
    ),
    mutant(
        "errors_without_id",
        "errors do not name their request",
        around(errors, "envelope", lambda original, error, _=None: original(error)),
        "044",
    ),
    mutant("any_id_taken", "an id may be anything", put(request_auth, "REQUEST_ID", re.compile(r"(?s).*")), "045"),
)
