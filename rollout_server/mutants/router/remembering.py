"""Defects of memory: answers, records and the state store."""

from typing import Any

from rollout_conformance.rollout_server.mutants.framework import around, put
from rollout_conformance.rollout_server.mutants.router.planting import mutant
from rollout_conformance.rollout_server.router import endpoints, idempotency_cache, request_auth
from rollout_conformance.rollout_server.router.idempotency_cache import Name, Replays, Slot
from rollout_conformance.rollout_server.router.key_store import Ledger
from rollout_conformance.rollout_server.router.state_store import Store, StoreDownError


def _of_everybody(original: Any, key_id: str, *arguments: Any) -> Name | None:
    name: Name | None = original("anybody", *arguments)
    return name


def _no_waiting(original: Any, self: Replays, name: Name, digest: bytes, now: float) -> tuple[Slot, bool]:
    slot, is_new = original(self, name, digest, now)
    return slot, is_new or slot.answer is None


def _lenient(original: Any, self: Ledger, settings: Any) -> None:
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


async def _unrecorded(self: Ledger, asked: Any) -> None:
    return None


MUTANTS = (
    mutant(
        "replay_runs_again", "the same request runs twice", put(idempotency_cache, "name_of", lambda *_: None), "016"
    ),
    mutant(
        "replay_across_keys", "answers of others are given", around(idempotency_cache, "name_of", _of_everybody), "062"
    ),
    mutant("duplicates_not_held", "duplicates run side by side", around(Replays, "enter", _no_waiting), "016"),
    mutant("audit_missing", "requests leave no record", put(Ledger, "begin", _unrecorded), "027", ("063",)),
    mutant(
        "audit_without_tokens",
        "records have no tokens",
        around(endpoints, "record", lambda o, row: o({**row, "prompt_tokens": 0, "completion_tokens": 0})),
        "063",
    ),
    mutant(
        "request_id_made_anew",
        "the id of a request is not echoed",
        put(request_auth, "request_id", lambda _: "req-0"),
        "042",
        ("027", "063"),
    ),
    mutant("served_without_state", "no store, no records, but answers", around(Ledger, "__init__", _lenient), ""),
    mutant("state_lost_for_good", "a store that was away stays away", around(Store, "do", _for_good), ""),
)
