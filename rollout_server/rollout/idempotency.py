"""Which rollouts the callback dialect has accepted, so that asking twice does not run twice.

Decisions only; no I/O, and the time is passed in. Rollout ids and idempotency keys are looked up apart from each other:
a key that reads like somebody's id means nothing. Running rollouts are remembered for as long as they run, finished
ones for a limited time and in a limited number.
"""

import hashlib
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

from rollout_conformance.rollout_server.common import json_text
from rollout_conformance.rollout_server.rollout.start_request import Start


class ConflictError(Exception):
    """The id or the key is taken by something else; the message says by what."""


@dataclass(slots=True)
class Record:
    rollout_id: str
    key: bytes | None
    fingerprint: bytes
    reply: dict[str, Any]
    finished: float | None = None


class Registry:
    def __init__(self, ttl_s: float, max_records: int) -> None:
        self._ttl_s = ttl_s
        self._max_records = max_records
        self._by_id: dict[str, Record] = {}
        self._by_key: dict[bytes, Record] = {}
        self._finished: OrderedDict[str, Record] = OrderedDict()

    def __len__(self) -> int:
        return len(self._by_id)

    def find(self, start: Start, now: float) -> Record | None:
        """The record of the rollout that this start repeats. Raises `ConflictError` when it only half repeats one."""
        self.prune(now)
        refuse_used_key(start, self.with_key(start))
        record = self.with_id(start)
        if record is not None:
            refuse_other_payload(start, record)
        return record

    def with_id(self, start: Start) -> Record | None:
        return self._by_id.get(start.rollout_id)

    def with_key(self, start: Start) -> Record | None:
        key = key_digest(start)
        return self._by_key.get(key) if key else None

    def add(self, start: Start, reply: dict[str, Any]) -> None:
        record = Record(start.rollout_id, key_digest(start), fingerprint(start), reply)
        self._by_id[record.rollout_id] = record
        if record.key:
            self._by_key[record.key] = record

    def finish(self, rollout_id: str, now: float) -> None:
        record = self._by_id[rollout_id]
        record.finished = now
        self._finished[rollout_id] = record
        self.prune(now)

    def prune(self, now: float) -> None:
        """Forget what finished too long ago, and the oldest of what is too much."""
        while self._finished and self._oldest_must_go(now):
            rollout_id, record = self._finished.popitem(last=False)
            del self._by_id[rollout_id]
            if record.key:
                del self._by_key[record.key]

    def _oldest_must_go(self, now: float) -> bool:
        oldest = next(iter(self._finished.values()))
        too_old = oldest.finished is not None and now - oldest.finished >= self._ttl_s
        return too_old or len(self._finished) > self._max_records


def refuse_used_key(start: Start, record: Record | None) -> None:
    if record is not None and record.rollout_id != start.rollout_id:
        raise ConflictError("This idempotency key was used for another rollout.")


def refuse_other_payload(start: Start, record: Record) -> None:
    if record.fingerprint != fingerprint(start):
        raise ConflictError("This rollout id was used for a start with other content.")


def key_digest(start: Start) -> bytes | None:
    # A digest, because a caller may choose a key of any length.
    return digest(start.idempotency_key) if start.idempotency_key else None


def fingerprint(start: Start) -> bytes:
    """Equal for starts that ask for the same rollout; the idempotency key is not part of what is asked."""
    return digest(
        [
            start.server_url,
            start.messages,
            start.sampling,
            start.max_turns,
            start.max_tokens_total,
            start.metadata,
            start.api_key,
            [start.routes.completion, start.routes.grader, start.routes.key] if start.routes else None,
        ]
    )


def digest(value: Any) -> bytes:
    return hashlib.sha256(json_text.canonical(value)).digest()
