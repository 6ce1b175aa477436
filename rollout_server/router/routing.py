"""Which backends are tried for a request, and in which order."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from rollout_conformance.rollout_server.router import weighted_choice
from rollout_conformance.rollout_server.router.backend_pool import Backend

Decision = Literal["PRIMARY", "FAILOVER", "AFFINITY"]
FAILED_STATUS = 500  # from here on another backend may succeed


@dataclass(frozen=True, slots=True)
class Choice:
    backend: Backend
    decision: Decision


def serving(backends: Sequence[Backend], model: str) -> list[Backend]:
    return [backend for backend in backends if model in (backend.models or ())]


def choices(backends: Sequence[Backend], prefer: str | None, draw: Callable[[], float]) -> list[Choice]:
    """Every backend once: the preferred one if it is usable, the other usable ones by weight, the rest last."""
    fit = weighted_choice.order([backend for backend in backends if is_usable(backend)], draw)
    unfit = weighted_choice.order([backend for backend in backends if not is_usable(backend)], draw)
    preferred_backend = [backend for backend in fit if backend.name == prefer]
    ordered = [*preferred_backend, *(backend for backend in fit if backend.name != prefer), *unfit]
    first: Decision = "AFFINITY" if preferred_backend else "PRIMARY"
    return [Choice(backend, first if position == 0 else "FAILOVER") for position, backend in enumerate(ordered)]


def is_usable(backend: Backend) -> bool:
    return not backend.degraded and backend.up is not False


def is_failure(status: int) -> bool:
    """A 4xx is forwarded: it is an error of the client. A redirect or an unknown status is a failure."""
    return not (200 <= status < 300 or 400 <= status < FAILED_STATUS)
