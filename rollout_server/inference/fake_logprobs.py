"""Log probabilities without a model: numbers that depend on the token, its position and everything before it.

A shift by one token, or an entry of another sequence, is visible; equal sequences get equal numbers.
"""

import hashlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from rollout_conformance.rollout_server.common.chat_tokenizer import ChatTokenizer
from rollout_conformance.rollout_server.inference.wire import ChatRequest

LEXICON = "the quick brown fox jumps over a lazy dog and I can calculate 0 1 2 3 4 5 6 7 8 9"
STEPS = 65537


@dataclass(frozen=True, slots=True)
class Scorer:
    """Writes the entries of `logprobs.content`. `others` are ids for the alternatives."""

    tokenizer: ChatTokenizer
    others: tuple[int, ...]

    @classmethod
    def of(cls, tokenizer: ChatTokenizer) -> "Scorer":
        return cls(tokenizer, tuple(sorted(set(tokenizer.encode(LEXICON)))))

    def entries(self, prompt: Sequence[int], ids: Sequence[int], top: int) -> tuple[dict[str, Any], ...]:
        digests = chain(prompt, ids)
        return tuple(self.entry(id, digest, top) for id, digest in zip(ids, digests, strict=True))

    def entry(self, id: int, digest: bytes, top: int) -> dict[str, Any]:
        ranked = self.ranked(id, digest, top)
        return self.token_entry(id, logprob(digest)) | {"top_logprobs": [self.token_entry(*one) for one in ranked]}

    def ranked(self, id: int, digest: bytes, top: int) -> list[tuple[int, float]]:
        """The likeliest `top` tokens, the sampled one first."""
        sampled = logprob(digest)
        return [(id, sampled), *self.alternatives(id, digest, sampled)][:top]

    def alternatives(self, id: int, digest: bytes, sampled: float) -> Iterator[tuple[int, float]]:
        """Less likely tokens, which share the remaining probability."""
        start = digest[2] % len(self.others)
        others = [other for other in self.others[start:] + self.others[:start] if other != id]
        rest = math.log(-math.expm1(sampled))
        for rank, other in enumerate(others, 1):
            yield other, rest - rank * math.log(2)

    def token_entry(self, id: int, logprob: float) -> dict[str, Any]:
        return {"token": self.tokenizer.decode([id]), "logprob": logprob, "bytes": [*token_bytes(self.tokenizer, id)]}


def token_bytes(tokenizer: ChatTokenizer, id: int) -> bytes:
    """Those of a part of a character too: the bytes of all entries, one after the other, are the text (OpenAI chat API)."""
    return tokenizer.token_bytes(id)


def top_count(request: ChatRequest) -> int:
    return request.top_logprobs or 0


def chain(prompt: Sequence[int], ids: Sequence[int]) -> Iterator[bytes]:
    """For each sampled id a digest of everything up to it."""
    digest = hashlib.sha256(repr([*prompt]).encode()).digest()
    for id in ids:
        digest = hashlib.sha256(digest + id.to_bytes(8)).digest()
        yield digest


def logprob(digest: bytes) -> float:
    """Between -1 and 0: above each alternative, and never 0."""
    return -(1 + int.from_bytes(digest[:2])) / STEPS
