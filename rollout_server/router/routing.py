"""Which backends are tried for a request, in which order, and what the choice is called."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from rollout_conformance.rollout_server.router import weighted_choice
from rollout_conformance.rollout_server.router.backends import Backend

Decision = Literal["PRIMARY", "FAILOVER", "AFFINITY"]
FAILED_STATUS = 500  # from here on it is the backend's fault, and another one may do better


@dataclass(frozen=True, slots=True)
class Choice:
    backend: Backend
    decision: Decision


def serving(backends: Sequence[Backend], model: str) -> list[Backend]:
    return [backend for backend in backends if model in (backend.models or ())]


def choices(backends: Sequence[Backend], prefer: str | None, draw: Callable[[], float]) -> list[Choice]:
    """Every backend once: the preferred one if it is fit, the other fit ones by weight, and the unfit as a last resort."""
    fit = weighted_choice.order([backend for backend in backends if is_fit(backend)], draw)
    unfit = weighted_choice.order([backend for backend in backends if not is_fit(backend)], draw)
    preferred = [backend for backend in fit if backend.name == prefer]
    ordered = [*preferred, *(backend for backend in fit if backend.name != prefer), *unfit]
    first: Decision = "AFFINITY" if preferred else "PRIMARY"
    return [Choice(backend, first if place == 0 else "FAILOVER") for place, backend in enumerate(ordered)]


def is_fit(backend: Backend) -> bool:
    return not backend.degraded and backend.up is not False


def is_failure(status: int) -> bool:
    """What the client did wrong is its own affair: it is passed on. A redirect or an odd status is no answer at all."""
    return not (200 <= status < 300 or 400 <= status < FAILED_STATUS)
