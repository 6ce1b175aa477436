"""Defects of the choice of a backend."""

from typing import Any

from rollout_server.chat import relay, routing, weights
from rollout_server.chat.fleet import Backend, Fleet
from rollout_server.chat.mutants.planting import mutant
from rollout_server.mutants.mutant import after, around, put


def _heaviest(items: Any, draw: float) -> Any:
    return max(items, key=lambda item: item.weight)


def _unweighted(items: Any, draw: float) -> Any:
    return items[int(draw * len(items))]


def _said_only(original: Any, self: Fleet, name: str, reason: str | None) -> Backend:
    """A copy is degraded, and told of."""
    return Backend(self.get(name).spec, self.get(name).models, degraded=True, reason=reason)


MUTANTS = (
    mutant("weights_ignored", "every backend gets as much", put(weights, "pick", _unweighted), ""),
    mutant("heaviest_only", "the backend with most weight gets all", put(weights, "pick", _heaviest), "017", ("025", "026")),
    mutant(
        "failover_missing", "one backend is tried", after(routing, "choices", lambda found: found[:1]), "003", ("004",)
    ),
    mutant("degraded_still_used", "the state of a backend is no matter", put(routing, "is_fit", lambda _: True), "026"),
    mutant("degrade_forgotten", "an operator is told what is not done", around(Fleet, "degrade", _said_only), "026"),
    mutant("affinity_ignored", "conversations wander", put(relay, "preferred", lambda *_: None), ""),
)
