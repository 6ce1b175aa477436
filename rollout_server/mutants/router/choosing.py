"""Defects of the choice of a backend, and of what is known of each."""

from typing import Any

from rollout_conformance.rollout_server.mutants.framework import after, around, put
from rollout_conformance.rollout_server.mutants.router.planting import mutant
from rollout_conformance.rollout_server.router import affinity, endpoints, failover, routing, weighted_choice
from rollout_conformance.rollout_server.router.affinity import Affinity
from rollout_conformance.rollout_server.router.backends import Backend, Fleet


def _heaviest(items: Any, draw: float) -> Any:
    return max(items, key=lambda item: item.weight)


def _unweighted(items: Any, draw: float) -> Any:
    return items[int(draw * len(items))]


def _said_only(original: Any, self: Fleet, name: str, reason: str | None) -> Backend:
    """A copy is degraded, and told of."""
    return Backend(self.get(name).spec, self.get(name).models, degraded=True, reason=reason)


def _weightless(original: Any, items: Any, draw: float) -> Any:
    return _unweighted(items, draw) if any(item.weight == 0 for item in items) else original(items, draw)


def _models_of_first(original: Any, self: Fleet) -> Any:
    return list((self.backends[0].models or {}).values()) if self.backends else original(self)


def _everybody_alike(original: Any, self: Affinity, known: Any) -> str | None:
    found: str | None = original(self, known)
    return found or next(iter(self._known.values()), None)


def _for_good(original: Any, self: Fleet, backend: Backend) -> None:
    if backend.up is not False:
        original(self, backend)


def _alone_with_its_cache(found: Any) -> Any:
    return found[:1] if found and found[0].decision == "AFFINITY" else found


MUTANTS = (
    mutant("weights_ignored", "every backend gets as much", put(weighted_choice, "pick", _unweighted), "028", ("029",)),
    mutant(
        "heaviest_only",
        "the backend with most weight gets all",
        put(weighted_choice, "pick", _heaviest),
        "017",
        ("025", "026", "028", "034"),
    ),
    mutant(
        "failover_missing",
        "one backend is tried",
        after(routing, "choices", lambda found: found[:1]),
        "003",
        ("004", "035", "036", "047", "048", "061"),
    ),
    mutant("degraded_still_used", "the state of a backend is no matter", put(routing, "is_fit", lambda _: True), "026"),
    mutant("degrade_forgotten", "an operator is told what is not done", around(Fleet, "degrade", _said_only), "026"),
    mutant("affinity_ignored", "conversations wander", put(failover, "preferred", lambda *_: None), "032", ("033",)),
    mutant("weightless_used", "no weight is some weight", around(weighted_choice, "pick", _weightless), "029"),
    mutant("models_of_first", "one backend's models are all", around(Fleet, "models", _models_of_first), "030"),
    mutant("model_anywhere", "any backend has any model", put(routing, "serving", lambda all_, _: list(all_)), "031"),
    mutant(
        "long_beginnings_forgotten",
        "only whole conversations are remembered",
        put(affinity, "kept", lambda said: list(said[-1:])),
        "033",
    ),
    mutant("affinity_for_all", "one backend gets all conversations", around(Affinity, "find", _everybody_alike), "034"),
    mutant(
        "affinity_without_failover",
        "who has the cache is asked alone",
        after(routing, "choices", _alone_with_its_cache),
        "035",
    ),
    mutant("down_for_good", "a backend that was down stays so", around(Fleet, "answered", _for_good), "047", ("046",)),
    mutant("ready_without_backend", "ready for nothing", put(endpoints, "has_backend", lambda _: True), "046"),
)
