"""Responses of the last minutes: a repeated request gets the same response, and no backend works twice.

In memory, not in the state store: the router does not persist content of conversations.
"""

import asyncio
import hashlib
from collections import OrderedDict
from dataclasses import dataclass, field

from rollout_conformance.rollout_server.router import errors

MAX_BYTES = 64 * 2**20  # of all cached responses
NEVER = (408, 409, 425, 429)  # the client should retry these


@dataclass(frozen=True, slots=True)
class StoredResponse:
    status: int
    body: bytes
    content_type: str
    headers: dict[str, str]

    @property
    def is_final(self) -> bool:
        return self.status < 500 and self.status not in NEVER


@dataclass(eq=False, slots=True)
class Entry:
    """A running request, or its response."""

    digest: bytes
    done: asyncio.Event = field(default_factory=asyncio.Event)
    response: StoredResponse | None = None
    at: float = 0.0


CacheKey = tuple[str, ...]


def cache_key(
    key_id: str, path: str, idempotency_key: str | None, request_id: str | None, raw: bytes
) -> CacheKey | None:
    """The cache key of a repeatable request. An X-Request-Id may cover a whole trace, so the body is part of the key."""
    if idempotency_key:
        return ("key", key_id, path, idempotency_key)
    return ("request", key_id, path, request_id, digest(raw).hex()) if request_id else None


def digest(raw: bytes) -> bytes:
    return hashlib.sha256(raw).digest()


class IdempotencyCache:
    def __init__(self, ttl_s: float, limit: int) -> None:
        self._ttl_s = ttl_s
        self._limit = limit
        self._bytes = 0
        self._entries: OrderedDict[CacheKey, Entry] = OrderedDict()

    def enter(self, key: CacheKey, digest: bytes, now: float) -> tuple[Entry, bool]:
        """The slot of this request, and whether it is new: then its owner responses, and all others wait for that."""
        self._expire(now)
        entry = self._entries.get(key)
        if entry is None:
            entry = self._entries[key] = Entry(digest)
            return entry, True
        if entry.digest != digest:
            raise errors.reused()
        return entry, False

    def leave(self, key: CacheKey, entry: Entry, response: StoredResponse | None, now: float) -> None:
        """The response, or None when there is none: then the next request of this key tries."""
        if response is None or not response.is_final:
            self._entries.pop(key, None)
        else:
            entry.response, entry.at = response, now
            self._bytes += len(response.body)
            self._entries.move_to_end(key)
        entry.done.set()
        self._expire(now)

    def _expire(self, now: float) -> None:
        """Responses are in the order of their age; running requests stay."""
        for key, entry in list(self._entries.items()):
            if entry.response is None:
                continue
            full = len(self._entries) > self._limit or self._bytes > MAX_BYTES
            if not full and now - entry.at < self._ttl_s:
                return
            del self._entries[key]
            self._bytes -= len(entry.response.body)
