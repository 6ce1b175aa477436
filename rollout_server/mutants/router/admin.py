"""Defects of the admin endpoints, the planner and readiness."""

from typing import Any

from rollout_conformance.rollout_server.mutants.framework import Mutant, around, put
from rollout_conformance.rollout_server.router import endpoints, planner, routing
from rollout_conformance.rollout_server.router.backend_pool import Backend, BackendPool


def _said_only(original: Any, self: BackendPool, name: str, reason: str | None) -> Backend:
    """Degrades and returns a copy."""
    return Backend(self.get(name).spec, self.get(name).models, degraded=True, reason=reason)


MUTANTS = (
    Mutant(
        "degraded_still_used",
        breaks="026",
        what="degraded backends are used",
        patch=put(routing, "is_usable", lambda _: True),
    ),
    Mutant(
        "degrade_forgotten",
        breaks="026",
        what="degrade is acknowledged without effect",
        patch=around(BackendPool, "degrade", _said_only),
    ),
    Mutant(
        "planner_always_holds",
        breaks="039",
        what="the advice is always hold",
        patch=put(planner, "advice", lambda *_: "hold"),
    ),
    Mutant(
        "ready_without_backend",
        breaks="046",
        what="ready without any backend",
        patch=put(endpoints, "has_backend", lambda _: True),
    ),
)
