"""The backends: their models, their health, and whether an operator degraded them."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from rollout_conformance.rollout_server.router import errors
from rollout_conformance.rollout_server.router.settings import BackendSpec


@dataclass(eq=False, slots=True)
class Backend:
    spec: BackendSpec
    models: dict[str, dict[str, Any]] | None = None  # None: not listed yet
    up: bool | None = None  # None: not known yet
    degraded: bool = False
    reason: str | None = None
    running: int = 0
    failures: int = 0  # in a row
    asked_at: float = float("-inf")

    @property
    def name(self) -> str:
        return self.spec.name

    @property
    def weight(self) -> float:
        return self.spec.weight

    @property
    def load(self) -> int:
        """The requests that run on it, of all processes of the router."""
        return self.running

    def begin(self) -> None:
        self.running += 1

    def end(self) -> None:
        self.running -= 1

    def describe(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "weight": self.weight,
            "status": status(self),
            "reason": self.reason,
            "models": sorted(self.models or ()),
            "running": self.load,
            "consecutive_failures": self.failures,
        }


def status(backend: Backend) -> str:
    if backend.degraded:
        return "degraded"
    return {None: "unknown", True: "healthy", False: "down"}[backend.up]


def create(spec: BackendSpec, kind: Callable[..., Backend] = Backend) -> Backend:
    configured = {name: model_entry(name) for name in spec.models} if spec.models is not None else None
    return kind(spec, configured)


def model_entry(name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": int(time.time()), "owned_by": "router"}


@dataclass(slots=True)
class BackendPool:
    backends: Sequence[Backend]
    probes: bool = True  # whether probes will find that a backend has recovered
    by_name: dict[str, Backend] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.by_name = {backend.name: backend for backend in self.backends}

    def refresh(self) -> None:
        """Before the backends are compared: where the router is several processes, others may have changed them."""

    def get(self, name: str) -> Backend:
        if name not in self.by_name:
            raise errors.no_such("backend")
        return self.by_name[name]

    def degrade(self, name: str, reason: str | None) -> Backend:
        backend = self.get(name)
        backend.degraded, backend.reason = True, reason
        return backend

    def heal(self, name: str) -> Backend:
        backend = self.get(name)
        backend.degraded, backend.reason, backend.up, backend.failures = False, None, True, 0
        return backend

    def answered(self, backend: Backend) -> None:
        backend.up, backend.failures = True, 0

    def failed(self, backend: Backend, unreachable: bool) -> None:
        """`unreachable`: it could not be reached at all. An HTTP error may concern one request only."""
        backend.failures += 1
        if unreachable and self.probes:
            backend.up = False

    def models(self) -> list[dict[str, Any]]:
        """The models of all backends, each once."""
        union: dict[str, dict[str, Any]] = {}
        for backend in self.backends:
            for name, entry in (backend.models or {}).items():
                union.setdefault(name, entry)
        return list(union.values())

    def usable(self) -> list[Backend]:
        self.refresh()
        return [backend for backend in self.backends if not backend.degraded and backend.up is not False]
