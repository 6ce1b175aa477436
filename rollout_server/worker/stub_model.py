"""A stand-in for a model, ready at once: its logits depend on every token before, and on nothing else.

It writes words, numbers and characters of several scripts, most of which take several tokens, and ends a text by itself only where the prompt has
an end of a turn, as a chat template writes it: some tokens after that. It is labelled as a stub in `/health` and by the name of its model.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from rollout_conformance.rollout_server.common.chat_tokenizer import ChatTokenizer
from rollout_conformance.rollout_server.worker.model import Logits, Read

NAME = "stub"
CONTEXT = 262_144  # the longest prompt that a request may have, at one token for each of its bytes, and its output
IMPOSSIBLE = -1000.0  # a logit that no temperature makes likely, and that JSON can hold
FORCED = 12.0  # how much likelier the rest of a begun piece is
TURN = 16  # how many tokens there are at least between two ends of a turn
SPREAD = 1.5  # standard deviation of the logits at the beginning of a piece
WORDS = (
    *("the", "a", "of", "to", "and", "in", "is", "it", "you", "that", "was", "for", "on", "are", "with", "as", "they"),
    *("token", "stream", "worker", "model", "slot", "queue", "job", "event", "haiku", "message"),
)
SIGNS = tuple('0123456789.,!?}\n"<>&')
LETTERS = tuple("日本語的한글éßñωЖшمرשלनत🎉🚀👩∑√…“€")
PIECES = (*(f" {word}" for word in WORDS), *SIGNS, *LETTERS)


@dataclass(slots=True)
class Node:
    """A place within the pieces: which tokens may follow."""

    following: dict[int, "Node"] = field(default_factory=dict)


@dataclass(slots=True)
class StubCache:
    length: int
    digest: bytes
    node: Node
    since_turn: int | None = None  # tokens since the last end of a turn


class StubModel:
    name = NAME

    def __init__(self, tokenizer: ChatTokenizer, vocab_size: int, eos: int, context_length: int = CONTEXT) -> None:
        self.vocab_size, self.eos, self.context_length = vocab_size, eos, context_length
        self._root = tree(tokenizer.encode(piece) for piece in PIECES)

    def new_cache(self) -> StubCache:
        return StubCache(0, b"", self._root)

    def read(self, reads: Sequence[Read]) -> list[Logits]:
        return [self._read(one) for one in reads]

    def _read(self, read: Read) -> Logits:
        rows = []
        for position, id in enumerate(read.ids, 1):
            self._append(read.cache, id)
            if read.every or position == len(read.ids):
                rows.append(self._logits(read.cache))
        return np.stack(rows)

    def _append(self, cache: StubCache, id: int) -> None:
        cache.length += 1
        cache.digest = hashlib.blake2b(cache.digest + id.to_bytes(4, "little"), digest_size=8).digest()
        if id == self.eos:
            cache.since_turn = 0
        elif cache.since_turn is not None:
            cache.since_turn += 1
        node = cache.node.following.get(id) or self._root.following.get(id) or self._root
        cache.node = node if node.following else self._root

    def _logits(self, cache: StubCache) -> Logits:
        chance = np.random.default_rng(int.from_bytes(cache.digest, "little"))
        allowed = np.fromiter(cache.node.following, dtype=np.int64)
        logits = np.full(self.vocab_size, IMPOSSIBLE, dtype=np.float32)
        logits[allowed] = FORCED + SPREAD * chance.standard_normal(len(allowed), dtype=np.float32)
        if cache.node is self._root and (cache.since_turn or 0) >= TURN:
            logits[self.eos] = 2 * FORCED
        return logits


def tree(pieces: Iterable[Sequence[int]]) -> Node:
    root = Node()
    for piece in pieces:
        node = root
        for id in piece:
            node = node.following.setdefault(id, Node())
    return root
