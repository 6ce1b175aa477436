"""Answers given within the last minutes, so that who asks the same again gets the same and no backend works twice.

In memory, not in the state store: answers are what people wrote, and this router keeps none of it.
"""

import asyncio
import hashlib
from collections import OrderedDict
from dataclasses import dataclass, field

from rollout_conformance.rollout_server.router import errors

MAX_BYTES = 64 * 2**20  # of all remembered answers
NEVER = (408, 409, 425, 429)  # these ask to be tried again


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: bytes
    content_type: str
    headers: dict[str, str]

    @property
    def is_final(self) -> bool:
        return self.status < 500 and self.status not in NEVER


@dataclass(eq=False, slots=True)
class Slot:
    """One request that is running, or its answer."""

    digest: bytes
    done: asyncio.Event = field(default_factory=asyncio.Event)
    answer: Answer | None = None
    at: float = 0.0


Name = tuple[str, ...]


def name_of(key_id: str, path: str, idempotency_key: str | None, request_id: str | None, raw: bytes) -> Name | None:
    """Of a request that can be repeated. An X-Request-Id may cover a whole trace, so its body belongs to its name."""
    if idempotency_key:
        return ("key", key_id, path, idempotency_key)
    return ("request", key_id, path, request_id, digest(raw).hex()) if request_id else None


def digest(raw: bytes) -> bytes:
    return hashlib.sha256(raw).digest()


class Replays:
    def __init__(self, ttl_s: float, limit: int) -> None:
        self._ttl_s = ttl_s
        self._limit = limit
        self._bytes = 0
        self._slots: OrderedDict[Name, Slot] = OrderedDict()

    def enter(self, name: Name, digest: bytes, now: float) -> tuple[Slot, bool]:
        """The slot of this request, and whether it is new: then its owner answers, and everybody else waits for that."""
        self._expire(now)
        slot = self._slots.get(name)
        if slot is None:
            slot = self._slots[name] = Slot(digest)
            return slot, True
        if slot.digest != digest:
            raise errors.reused()
        return slot, False

    def leave(self, name: Name, slot: Slot, answer: Answer | None, now: float) -> None:
        """The owner has answered, or has not: then the next one tries."""
        if answer is None or not answer.is_final:
            self._slots.pop(name, None)
        else:
            slot.answer, slot.at = answer, now
            self._bytes += len(answer.body)
            self._slots.move_to_end(name)
        slot.done.set()
        self._expire(now)

    def _expire(self, now: float) -> None:
        """Answers are in the order of their age; what still runs stays."""
        for name, slot in list(self._slots.items()):
            if slot.answer is None:
                continue
            full = len(self._slots) > self._limit or self._bytes > MAX_BYTES
            if not full and now - slot.at < self._ttl_s:
                return
            del self._slots[name]
            self._bytes -= len(slot.answer.body)
