"""Defects of records and the state store."""

from typing import Any

from sqlalchemy import true

from rollout_conformance.rollout_server.mutants.framework import TESTS, Mutant, around, put
from rollout_conformance.rollout_server.router import (
    endpoints,
    sql,
)
from rollout_conformance.rollout_server.router.key_store import KeyStore
from rollout_conformance.rollout_server.router.state_store import Store, StoreDownError


def _lenient(original: Any, self: KeyStore, settings: Any) -> None:
    original(self, settings)
    self._required = False


async def _for_good(original: Any, self: Store, work: Any) -> Any:
    if getattr(self, "_gave_up", False):
        raise StoreDownError("gone")
    try:
        return await original(self, work)
    except StoreDownError:
        self._gave_up = True  # type: ignore[attr-defined]
        raise


async def _unrecorded(self: KeyStore, inference: Any) -> None:
    return None


MUTANTS = (
    Mutant(
        "served_without_state",
        breaks="000",
        what="requests are served without the state store",
        patch=around(KeyStore, "__init__", _lenient),
        by=TESTS,
    ),
    Mutant(
        "state_lost_for_good",
        breaks="000",
        what="the state store is never retried after a failure",
        patch=around(Store, "do", _for_good),
        by=TESTS,
    ),
    Mutant(
        "audit_of_any_org",
        breaks="027",
        what="records of other organisations are returned",
        patch=put(sql, "is_own", lambda _: true()),
    ),
    Mutant(
        "audit_missing",
        breaks="027",
        also=("063",),
        what="requests are not recorded",
        patch=put(KeyStore, "begin", _unrecorded),
    ),
    Mutant(
        "audit_without_tokens",
        breaks="063",
        what="records have no tokens",
        patch=around(endpoints, "record", lambda o, row: o({**row, "prompt_tokens": 0, "completion_tokens": 0})),
    ),
)
