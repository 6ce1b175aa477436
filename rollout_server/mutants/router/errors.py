"""Defects of error responses for failed backends."""

from dataclasses import replace
from typing import Any

from rollout_conformance.rollout_server.common.errors import ApiError
from rollout_conformance.rollout_server.mutants.framework import Mutant, around, put
from rollout_conformance.rollout_server.router import errors, failover, routing, service
from rollout_conformance.rollout_server.router.backend_client import BackendClient
from rollout_conformance.rollout_server.router.idempotency_cache import StoredResponse


async def _told(original: Any, lifecycle: Any, found: Any, *arguments: Any) -> Any:
    try:
        return await original(lifecycle, found, *arguments)
    except ApiError as error:
        error.message = f"POST {found[0].backend.spec.url} failed: {error.message}"
        raise


def _internal(failures: Any) -> ApiError:
    return errors.internal()


def _patient(original: Any, self: BackendClient, timeout_s: float, connect_timeout_s: float) -> None:
    original(self, timeout_s + 3600, connect_timeout_s)


def _status_lost(original: Any, stored: StoredResponse) -> Any:
    return original(replace(stored, status=200))


def _always_502(failures: Any) -> ApiError:
    return ApiError(502, "backend_error", "The backends of this model failed")


MUTANTS = (
    Mutant(
        "backend_4xx_as_502",
        breaks="004",
        also=("048", "054"),
        what="a client error of a backend is treated as a failure of the backends",
        patch=put(routing, "is_failure", lambda status: status >= 300),
    ),
    Mutant(
        "unknown_5xx_forwarded",
        breaks="072",
        what="a 529 of a backend is forwarded",
        patch=around(routing, "is_failure", lambda original, status: status != 529 and original(status)),
    ),
    Mutant(
        "unserved_as_500",
        breaks="005",
        also=("006", "031", "059", "060"),
        what="failed backends are answered with 500",
        patch=put(errors, "all_backends_failed", _internal),
    ),
    Mutant(
        "status_of_backend_lost",
        breaks="004",
        also=("048", "054"),
        what="a whole response that a backend returned is forwarded with status 200, errors too",
        patch=around(service, "to_response", _status_lost),
    ),
    Mutant(
        "silence_waited_for",
        breaks="006",
        also=("060", "007"),
        what="a silent backend never times out",
        patch=around(BackendClient, "__init__", _patient),
    ),
    Mutant(
        "error_shows_backend",
        breaks="009",
        what="errors contain the URL of the backend",
        patch=around(failover, "open_first", _told),
    ),
    Mutant(
        "timeout_as_502",
        breaks="060",
        what="a timeout is answered with 502",
        patch=put(errors, "all_backends_failed", _always_502),
    ),
)
