"""Defects of replayed responses."""

from collections.abc import Callable
from typing import Any

from rollout_conformance.rollout_server.mutants.framework import Mutant, around, put
from rollout_conformance.rollout_server.router import idempotency_cache
from rollout_conformance.rollout_server.router.idempotency_cache import CacheKey, Entry, IdempotencyCache

Enter = Callable[[IdempotencyCache, CacheKey, bytes, float], tuple[Entry, bool]]


def _of_everybody(original: Any, key_id: str, *arguments: Any) -> CacheKey | None:
    name: CacheKey | None = original("anybody", *arguments)
    return name


def _no_waiting(
    original: Enter, self: IdempotencyCache, name: CacheKey, digest: bytes, now: float
) -> tuple[Entry, bool]:
    entry, is_new = original(self, name, digest, now)
    return entry, is_new or entry.response is None


MUTANTS = (
    Mutant(
        "replay_runs_again",
        breaks="016",
        what="a repeated request runs again",
        patch=put(idempotency_cache, "cache_key", lambda *_: None),
    ),
    Mutant(
        "duplicates_not_held",
        breaks="016",
        what="concurrent duplicates run each",
        patch=around(IdempotencyCache, "enter", _no_waiting),
    ),
    Mutant(
        "replay_across_keys",
        breaks="062",
        what="responses are replayed across keys",
        patch=around(idempotency_cache, "cache_key", _of_everybody),
    ),
)
