"""Accepted rollouts, so that a repeated start request does not run a second time.

Decisions only; no I/O, and the time is passed in. Rollout ids and idempotency keys are separate namespaces: a key that
equals an id means nothing. Running rollouts are remembered for as long as they run, finished ones for a limited time
and in a limited number.
"""

import hashlib
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any, Protocol

from rollout_conformance.rollout_server.common import json_text
from rollout_conformance.rollout_server.rollout.start_request import StartRequest

USED_KEY = "This idempotency key was used for another rollout."


class ConflictError(Exception):
    """The id or the key was used for a different start; the message says which."""


@dataclass(slots=True)
class Record:
    rollout_id: str
    key: bytes | None
    fingerprint: bytes
    reply: dict[str, Any]
    finished: float | None = None


class Claims(Protocol):
    """The idempotency keys of all processes, where a server is several: a key that another process knows is found here."""

    def claim(self, key: bytes, rollout_id: str) -> bool: ...
    def release(self, key: bytes, rollout_id: str) -> None: ...


class IdempotencyStore:
    def __init__(self, ttl_s: float, max_records: int, claims: Claims | None = None) -> None:
        self._claims = claims
        self._ttl_s = ttl_s
        self._max_records = max_records
        self._by_id: dict[str, Record] = {}
        self._by_key: dict[bytes, Record] = {}
        self._finished: OrderedDict[str, Record] = OrderedDict()

    def __len__(self) -> int:
        return len(self._by_id)

    def find(self, start: StartRequest, now: float) -> Record | None:
        """The record of the rollout that this start repeats. Raises `ConflictError` when only the id or only the key is equal."""
        self.prune(now)
        reject_used_key(start, self.with_key(start))
        record = self.with_id(start)
        if record is not None:
            reject_other_payload(start, record)
        else:
            self._claim(start)
        return record

    def _claim(self, start: StartRequest) -> None:
        """Raises `ConflictError` where another process has used the key. A start that is then rejected calls `release`."""
        key = key_digest(start)
        if self._claims and key and not self._claims.claim(key, start.rollout_id):
            raise ConflictError(USED_KEY)

    def release(self, start: StartRequest) -> None:
        key = key_digest(start)
        if self._claims and key:
            self._claims.release(key, start.rollout_id)

    def with_id(self, start: StartRequest) -> Record | None:
        return self._by_id.get(start.rollout_id)

    def with_key(self, start: StartRequest) -> Record | None:
        key = key_digest(start)
        return self._by_key.get(key) if key else None

    def add(self, start: StartRequest, reply: dict[str, Any]) -> None:
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
        """Remove what finished too long ago, and the oldest beyond the limit."""
        while self._finished and self._oldest_is_due(now):
            rollout_id, record = self._finished.popitem(last=False)
            del self._by_id[rollout_id]
            if record.key:
                del self._by_key[record.key]
                if self._claims:
                    self._claims.release(record.key, rollout_id)

    def _oldest_is_due(self, now: float) -> bool:
        oldest = next(iter(self._finished.values()))
        too_old = oldest.finished is not None and now - oldest.finished >= self._ttl_s
        return too_old or len(self._finished) > self._max_records


def reject_used_key(start: StartRequest, record: Record | None) -> None:
    if record is not None and record.rollout_id != start.rollout_id:
        raise ConflictError(USED_KEY)


def reject_other_payload(start: StartRequest, record: Record) -> None:
    if record.fingerprint != fingerprint(start):
        raise ConflictError("This rollout id was used for a start with other content.")


def key_digest(start: StartRequest) -> bytes | None:
    # A digest, because a caller may choose a key of any length.
    return digest(start.idempotency_key) if start.idempotency_key else None


def fingerprint(start: StartRequest) -> bytes:
    """Equal for equal start requests; the idempotency key is not part of it."""
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
