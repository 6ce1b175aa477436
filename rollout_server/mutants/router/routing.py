"""Defects of the choice of a backend."""

from typing import Any

from rollout_conformance.rollout_server.mutants.framework import Mutant, after, around, put
from rollout_conformance.rollout_server.router import affinity, failover, routing, service, weighted_choice
from rollout_conformance.rollout_server.router.affinity import Affinity
from rollout_conformance.rollout_server.router.backend_pool import BackendPool


def _heaviest(items: Any, draw: float) -> Any:
    return max(items, key=lambda item: item.weight)


def _unweighted(items: Any, draw: float) -> Any:
    return items[int(draw * len(items))]


def _weightless(original: Any, items: Any, draw: float) -> Any:
    return _unweighted(items, draw) if any(item.weight == 0 for item in items) else original(items, draw)


def _models_of_first(original: Any, self: BackendPool) -> Any:
    return list((self.backends[0].models or {}).values()) if self.backends else original(self)


def _everybody_alike(original: Any, self: Affinity, known: Any) -> str | None:
    found: str | None = original(self, known)
    return found or next(iter(self._known.values()), None)


def _alone_with_its_cache(found: Any) -> Any:
    return found[:1] if found and found[0].decision == "AFFINITY" else found


MUTANTS = (
    Mutant(
        "heaviest_only",
        breaks="017",
        also=("025", "026", "028", "034"),
        what="the backend with the highest weight gets all requests",
        patch=put(weighted_choice, "pick", _heaviest),
    ),
    Mutant(
        "no_routing_headers",
        breaks="018",
        also=("054", "061"),
        what="the routing headers are missing",
        patch=put(service, "headers", lambda _: {}),
    ),
    Mutant(
        "weights_ignored",
        breaks="028",
        also=("029",),
        what="weights are ignored",
        patch=put(weighted_choice, "pick", _unweighted),
    ),
    Mutant(
        "weightless_used",
        breaks="029",
        what="a weight of 0 is ignored",
        patch=around(weighted_choice, "pick", _weightless),
    ),
    Mutant(
        "models_of_first",
        breaks="030",
        what="only the first backend's models are listed",
        patch=around(BackendPool, "models", _models_of_first),
    ),
    Mutant(
        "affinity_ignored",
        breaks="032",
        also=("033",),
        what="affinity is ignored",
        patch=put(failover, "preferred_backend", lambda *_: None),
    ),
    Mutant(
        "long_beginnings_forgotten",
        breaks="033",
        what="long prefixes are not remembered",
        patch=put(affinity, "to_remember", lambda said: list(said[-1:])),
    ),
    Mutant(
        "affinity_for_all",
        breaks="034",
        what="one backend gets all conversations",
        patch=around(Affinity, "find", _everybody_alike),
    ),
    Mutant(
        "affinity_without_failover",
        breaks="035",
        also=("003",),
        what="no failover from the preferred backend",
        patch=after(routing, "choices", _alone_with_its_cache),
    ),
)
