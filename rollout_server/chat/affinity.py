"""Which backend has the beginning of a conversation in its cache: the one that served it before."""

import hashlib
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any

from rollout_server import json_text


def boundaries(org: str, body: Mapping[str, Any]) -> list[bytes]:
    """One hash for each message boundary, shortest first. An organisation never learns what another one asked."""
    messages = body.get("messages")
    if not isinstance(messages, Sequence) or isinstance(messages, str):
        return []
    chain = hashlib.sha256(json_text.canonical([org, body.get("model"), body.get("tools")])).digest()
    hashes = []
    for message in messages:
        chain = hashlib.sha256(chain + json_text.canonical(message)).digest()
        hashes.append(chain)
    return hashes


class Affinity:
    """Remembers whole conversations, the least recently used forgotten first.

    Only whole ones: were their beginnings remembered as well, a system prompt that all share would send everybody to one
    backend.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._known: OrderedDict[bytes, str] = OrderedDict()

    def find(self, hashes: Sequence[bytes]) -> str | None:
        """The backend of the longest beginning that is known."""
        for known in reversed(hashes):
            if known in self._known:
                self._known.move_to_end(known)
                return self._known[known]
        return None

    def remember(self, hashes: Sequence[bytes], backend: str) -> None:
        if not hashes:
            return
        self._known[hashes[-1]] = backend
        self._known.move_to_end(hashes[-1])
        while len(self._known) > self._limit:
            self._known.popitem(last=False)
