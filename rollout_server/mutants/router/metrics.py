"""Defects of metrics and public endpoints."""

from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from rollout_conformance.rollout_server.mutants.framework import Mutant, around, put
from rollout_conformance.rollout_server.router import endpoints, request_auth
from rollout_conformance.rollout_server.router.metrics import Metrics
from rollout_conformance.rollout_server.router.response_headers import CommonHeaders


def _with_key(endpoint: Any) -> Callable[[], None]:
    original = endpoint.get

    async def get(self: Any, request: Request) -> Response:
        await request_auth.authenticate(request, None)
        return await original(self, request)  # type: ignore[no-any-return]

    return put(endpoint, "get", get)


COUNTING = ("http", "attempt", "ended")


def _still() -> None:
    for name in COUNTING:
        put(Metrics, name, lambda *_: None)()


def _served(original: Any, self: Metrics, endpoint: str, status: int) -> None:
    original(self, endpoint, 200)


MUTANTS = (
    Mutant("metrics_need_key", breaks="023", what="metrics need a key", patch=_with_key(endpoints.Metrics)),
    Mutant("health_needs_key", breaks="023", what="health needs a key", patch=_with_key(endpoints.Health)),
    Mutant("numbers_stand_still", breaks="040", what="metrics do not change", patch=_still),
    Mutant(
        "refusals_served",
        breaks="040",
        what="rejected requests count as served",
        patch=around(Metrics, "http", _served),
    ),
    Mutant(
        "numbers_name_paths",
        breaks="041",
        what="unknown paths become labels",
        patch=put(CommonHeaders, "label", lambda _, scope: scope["path"]),
    ),
)
