"""Tokens: what an answer cost, and usage that the router asked for but the client did not."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

MOST = 2**40  # more than any answer has; what a backend says must not overflow the state store
BYTES_PER_TOKEN = 4  # of ordinary text; only for answers of which the backend never said how long they are


@dataclass(slots=True)
class Tally:
    """Of one request. Where no usage came, because somebody left in the middle, every chunk was at least a token."""

    prompt: int = 0
    completion: int = 0
    told: bool = False
    chunks: int = 0
    prompt_bytes: int = 0

    def saw(self, answer: Any) -> None:
        """A whole answer, or a chunk that may have usage."""
        usage = answer.get("usage") if isinstance(answer, Mapping) else None
        if isinstance(usage, Mapping):
            self.told = True
            self.prompt, self.completion = count(usage, "prompt_tokens"), count(usage, "completion_tokens")

    def settle(self) -> None:
        """What is certain, or else what is at least so."""
        if not self.told and self.chunks:
            self.prompt, self.completion = self.prompt_bytes // BYTES_PER_TOKEN, self.chunks

    @property
    def total(self) -> int:
        return self.prompt + self.completion


def count(usage: Mapping[str, Any], name: str) -> int:
    value = usage.get(name)
    return min(value, MOST) if isinstance(value, int) and value > 0 else 0


@dataclass(frozen=True, slots=True)
class Wish:
    """What the client wants to see of usage in a stream, and what is asked of the backend."""

    final: bool
    each: bool
    adds_final: bool
    adds_each: bool

    def hides(self) -> bool:
        return self.adds_final or self.adds_each


def wish(body: Mapping[str, Any], migrates: bool) -> Wish:
    """With usage in each chunk it is known how many tokens came, when another backend has to go on."""
    options = body.get("stream_options") or {}
    final = options.get("include_usage") is True
    each = final and options.get("continuous_usage_stats") is True
    return Wish(final, each, not final, migrates and not each)


def asking(body: Mapping[str, Any], wish: Wish) -> dict[str, Any]:
    """The body with the wishes of the router added to those of the client."""
    if not wish.hides():
        return dict(body)
    added = {"include_usage": True} | ({"continuous_usage_stats": True} if wish.adds_each else {})
    return {**body, "stream_options": {**(body.get("stream_options") or {}), **added}}


def shown(chunk: dict[str, Any], wish: Wish) -> dict[str, Any] | None:
    """The chunk as the client would have got it had it been alone. None: not at all. The same object: unchanged."""
    if "usage" not in chunk or not wish.hides():
        return chunk
    if chunk.get("choices") == [] and chunk["usage"]:
        return chunk if wish.final else None
    if wish.each or (wish.final and chunk["usage"] is None):
        return chunk
    return {name: value for name, value in chunk.items() if name != "usage"}
