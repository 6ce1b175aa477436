"""Which backend has the prefix of a conversation in its KV cache: the one that served it before."""

import hashlib
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rollout_conformance.rollout_server.common import json_text

LONG = 4096  # bytes, about a thousand tokens: to prefill these takes longer than to wait for a busier backend


@dataclass(frozen=True, slots=True)
class Boundary:
    """The end of a message: a hash of the conversation up to here, and its size."""

    hash: bytes
    size: int


def boundaries(org: str, body: Mapping[str, Any]) -> list[Boundary]:
    """One for each message, the shortest prefix first. The organisation is part of the hash: prefixes are not shared."""
    messages = body.get("messages")
    if not isinstance(messages, Sequence) or isinstance(messages, str):
        return []
    chain, size = hashlib.sha256(json_text.canonical([org, body.get("model"), body.get("tools")])).digest(), 0
    found = []
    for message in messages:
        written = json_text.canonical(message)
        chain, size = hashlib.sha256(chain + written).digest(), size + len(written)
        found.append(Boundary(chain, size))
    return found


class Affinity:
    """Remembers whole conversations, and the first boundary of a long prefix; the least recently used is removed first.

    Short prefixes are not remembered: a short system prompt that all share would send all requests to one backend.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._known: OrderedDict[bytes, str] = OrderedDict()

    def find(self, known: Sequence[Boundary]) -> str | None:
        """The backend of the longest known prefix."""
        for one in reversed(known):
            if one.hash in self._known:
                self._known.move_to_end(one.hash)
                return self._known[one.hash]
        return None

    def remember(self, conversation: Sequence[Boundary], backend: str) -> None:
        for one in to_remember(conversation):
            self._known[one.hash] = backend
            self._known.move_to_end(one.hash)
        while len(self._known) > self._limit:
            self._known.popitem(last=False)


def to_remember(conversation: Sequence[Boundary]) -> list[Boundary]:
    long = [one for one in conversation if one.size >= LONG]
    return [*long[:1], *conversation[-1:]]
