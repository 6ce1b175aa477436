"""Defects of repeated start requests."""

import time
from dataclasses import replace
from typing import Any

from rollout_conformance.rollout_server.common import request_parsing
from rollout_conformance.rollout_server.common.errors import RequestError
from rollout_conformance.rollout_server.mutants.dialects import CALLBACK
from rollout_conformance.rollout_server.mutants.framework import EXPLORATION, Mutant, around, put
from rollout_conformance.rollout_server.rollout import (
    idempotency,
    rollout_state,
)
from rollout_conformance.rollout_server.rollout.idempotency import IdempotencyStore
from rollout_conformance.rollout_server.rollout.rollout_state import RolloutState

_seen: dict[str, float] = {}


def _blind_at_first(self: Any, asked: Any) -> Any:
    now, first = time.monotonic(), _seen.get(asked.rollout_id)
    _seen.setdefault(asked.rollout_id, now)
    return None if first is not None and now - first < 0.01 else self._by_id.get(asked.rollout_id)


def _same_key(self: Any, asked: Any) -> Any:
    record = self._by_id.get(asked.rollout_id)
    return None if record and record.key and record.key == idempotency.key_digest(asked) else record


def _forgets_tools(original: Any, self: Any, asked: Any, now: float) -> Any:
    record = original(self, asked, now)
    return record and replace(record, reply={**record.reply, "tools": record.reply["tools"][:1]})


_running: dict[str, RolloutState] = {}


def _known_while_it_runs(original: Any, start: Any) -> RolloutState:
    state: RolloutState = original(start)
    _running[start.rollout_id] = state
    return state


def _blind_after_two_turns(self: Any, asked: Any) -> Any:
    state, record = _running.get(asked.rollout_id), self._by_id.get(asked.rollout_id)
    if record is not None and record.finished is None and state is not None and state.counters.llm_calls == 2:
        return None
    return record


def _forgets_after_two_turns() -> None:
    around(rollout_state, "new_state", _known_while_it_runs)()
    put(IdempotencyStore, "with_id", _blind_after_two_turns)()


def _by_beginning(self: Any, asked: Any) -> Any:
    """Ids that are equal in their first 64 characters are one."""
    return next((one for name, one in self._by_id.items() if name[:64] == asked.rollout_id[:64]), None)


def _same_but_refused(*_: Any) -> Any:
    seen: set[str] = set()

    def validate(original: Any, value: Any, build: Any) -> Any:
        name = value.get("rollout_id") if isinstance(value, dict) else None
        if name in seen:
            raise RequestError(409, "seen before")
        try:
            return original(value, build)
        except RequestError:
            if isinstance(name, str):
                seen.add(name)
            raise

    return around(request_parsing, "validate", validate)


def _by_key_or_id(self: Any, asked: Any) -> Any:
    return self._by_id.get(asked.idempotency_key) or self._by_key.get(idempotency.key_digest(asked) or b"")


def _swallowed(self: Any, asked: Any, now: float) -> Any:
    return self.with_key(asked) or self.with_id(asked)


def _key_first(self: Any, asked: Any) -> Any:
    return None if asked.idempotency_key else self._by_id.get(asked.rollout_id)


def _forgotten(self: Any, rollout_id: str, now: float) -> None:
    record = self._by_id.pop(rollout_id)
    self._by_key.pop(record.key, None)


MUTANTS = (
    Mutant(
        "ids_by_beginning",
        breaks="231",
        what="ids that begin alike are one",
        patch=put(IdempotencyStore, "with_id", _by_beginning),
        dialects=CALLBACK,
    ),
    Mutant(
        "forgets_after_two",
        breaks="148",
        also=("136", "137", "140"),
        what="a start repeated after two turns runs a second time",
        patch=_forgets_after_two_turns,
        dialects=CALLBACK,
        by=EXPLORATION,
    ),
    Mutant(
        "runs_again",
        breaks="148",
        also=("149", "150", "151", "152", "154", "156", "137", "140"),
        what="a repeated init runs a second time",
        patch=put(idempotency.IdempotencyStore, "with_id", lambda self, s: None),
        dialects=CALLBACK,
    ),
    Mutant(
        "races",
        breaks="149",
        what="equal starts at the same time run each",
        patch=put(IdempotencyStore, "with_id", _blind_at_first),
        dialects=CALLBACK,
    ),
    Mutant(
        "forgets_tools",
        breaks="150",
        what="a repeated start lists fewer tools",
        patch=around(IdempotencyStore, "find", _forgets_tools),
        dialects=CALLBACK,
    ),
    Mutant(
        "forgets",
        breaks="151",
        also=("152", "156", "153", "155"),
        what="a finished rollout is forgotten",
        patch=put(idempotency.IdempotencyStore, "finish", _forgotten),
        dialects=CALLBACK,
    ),
    Mutant(
        "same_key_again",
        breaks="152",
        what="a start repeated with its key runs a second time",
        patch=put(IdempotencyStore, "with_id", _same_key),
        dialects=CALLBACK,
    ),
    Mutant(
        "key_swallows",
        breaks="153",
        also=("008", "136", "156"),
        what="another id under a used key gets the first rollout",
        patch=put(idempotency.IdempotencyStore, "find", _swallowed),
        dialects=CALLBACK,
    ),
    Mutant(
        "key_decides",
        breaks="154",
        also=("152",),
        what="one id with two keys runs twice",
        patch=put(idempotency.IdempotencyStore, "with_id", _key_first),
        dialects=CALLBACK,
    ),
    Mutant(
        "key_is_id",
        breaks="155",
        what="ids and keys share one namespace",
        patch=put(idempotency.IdempotencyStore, "with_key", _by_key_or_id),
        dialects=CALLBACK,
    ),
    Mutant(
        "id_burnt",
        breaks="158",
        also=("018", "112"),
        what="the id of a rejected start stays rejected",
        patch=_same_but_refused(),
    ),
)
