"""Tokens of a response, and `stream_options` that the router adds to those of the client."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

MOST = 2**40  # more than any response has: a backend must not overflow the state store
BYTES_PER_TOKEN = 4  # of ordinary text; only for responses without usage


@dataclass(slots=True)
class TokenUsage:
    """Of one request. Without usage, after a disconnect, every chunk counts as one token."""

    prompt: int = 0
    completion: int = 0
    reported: bool = False
    chunks: int = 0
    prompt_bytes: int = 0

    def update(self, answer: Any) -> None:
        """A complete response, or a chunk, which may have usage."""
        usage = answer.get("usage") if isinstance(answer, Mapping) else None
        if isinstance(usage, Mapping):
            self.reported = True
            self.prompt, self.completion = count(usage, "prompt_tokens"), count(usage, "completion_tokens")

    def settle(self) -> None:
        """The reported usage, else a lower bound."""
        if not self.reported and self.chunks:
            self.prompt, self.completion = self.prompt_bytes // BYTES_PER_TOKEN, self.chunks

    @property
    def total(self) -> int:
        return self.prompt + self.completion


def count(usage: Mapping[str, Any], name: str) -> int:
    value = usage.get(name)
    return min(value, MOST) if isinstance(value, int) and value > 0 else 0


@dataclass(frozen=True, slots=True)
class UsageOptions:
    """The usage that the client requested in a stream, and what the router adds for itself."""

    final: bool
    each: bool
    adds_final: bool
    adds_each: bool

    def hides(self) -> bool:
        return self.adds_final or self.adds_each


def options_of(body: Mapping[str, Any], migrates: bool) -> UsageOptions:
    """Usage in each chunk tells how many tokens were received if another backend has to resume."""
    options = body.get("stream_options") or {}
    final = options.get("include_usage") is True
    each = final and options.get("continuous_usage_stats") is True
    return UsageOptions(final, each, not final, migrates and not each)


def with_options(body: Mapping[str, Any], usage_options: UsageOptions) -> dict[str, Any]:
    """The body with the options of the router added to those of the client."""
    if not usage_options.hides():
        return dict(body)
    added = {"include_usage": True} | ({"continuous_usage_stats": True} if usage_options.adds_each else {})
    return {**body, "stream_options": {**(body.get("stream_options") or {}), **added}}


def visible_chunk(chunk: dict[str, Any], usage_options: UsageOptions) -> dict[str, Any] | None:
    """The chunk without the usage that only the router requested. None: nothing is left. The same object: unchanged."""
    if "usage" not in chunk or not usage_options.hides():
        return chunk
    if chunk.get("choices") == [] and chunk["usage"]:
        return chunk if usage_options.final else None
    if usage_options.each or (usage_options.final and chunk["usage"] is None):
        return chunk
    return {name: value for name, value in chunk.items() if name != "usage"}
