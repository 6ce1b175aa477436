"""A stream of which nobody said whether its events hold all that was generated or what is new (`framing` on the card): it shows that itself.

It is read both ways until one of them is certain, so that a server that streams increments, which SGLang has as an option, is not accused.
"""

from dataclasses import dataclass
from itertools import pairwise

from rollout_conformance.steps.profiles.worker.dialects.base import StreamReader
from rollout_conformance.steps.profiles.worker.events import Event, Tokens, Transcript
from rollout_conformance.steps.sse.streams import Chunk


@dataclass(slots=True)
class EitherReader:
    """`cumulative` is what a stream is taken for; `delta` is None once an event has continued the one before it."""

    cumulative: StreamReader
    delta: StreamReader | None

    def feed(self, chunk: Chunk) -> None:
        self.cumulative.feed(chunk)
        if self.delta is not None:
            self.delta.feed(chunk)
        if _continues(self.cumulative):
            self.delta = None  # increments of it would be large, and are none

    @property
    def events(self) -> list[Event]:
        is_cumulative = self.delta is None or not self.cumulative.breaches
        return self.cumulative.events if is_cumulative or self.delta is None else self.delta.events

    @property
    def transcript(self) -> Transcript:
        found = self.cumulative.transcript
        if self.delta is None or not found.breaches:
            return found
        other = self.delta.transcript
        return other if _adds_up(other) else found


def _continues(reader: StreamReader) -> bool:
    """Whether a second event has the tokens of the first one and more."""
    return (
        not reader.breaches and sum(isinstance(one, Tokens) and bool(one.ids or one.text) for one in reader.events) > 1
    )


def _adds_up(found: Transcript) -> bool:
    """Whether all of it is increments: as many ids and log probabilities as were counted, and no text that repeats the one before it."""
    if found.breaches or not found.tokens:
        return False
    counted = sum(one.count or 0 for one in found.tokens)
    columns = [one for one in (found.ids, found.logprobs) if one is not None]
    texts = [one.text for one in found.tokens if one.text]
    repeats = len(texts) > 1 and all(b.startswith(a) and len(b) > len(a) for a, b in pairwise(texts))
    return not repeats and all(len(one) == counted for one in columns)
