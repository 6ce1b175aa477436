"""A stream whose events repeat what those before them held: 2,000 tokens are 2,000 events and 100 MB, of which the last event has all.

Kept are what a reader leaves of each event, and the two ends of the body. Counted is what an event has more than the one before it.
"""

import codecs
from collections.abc import Callable
from dataclasses import dataclass, field

from rollout_conformance.steps.engine import body_limits
from rollout_conformance.steps.sse.parser import SseEvent
from rollout_conformance.steps.sse.streams import DONE, Chunk, Reading, event_data

BESIDE = 20, 8  # bytes that are shown before and after one that is not UTF-8


@dataclass(slots=True)
class GrowingReading(Reading):
    """`take` reads an event and gives what is kept of its data. `odd_bytes` is where the body was no UTF-8, for the part that is dropped."""

    take: Callable[[Chunk], object] = field(kw_only=True)
    odd_bytes: bytes = b""
    gauge: body_limits.Gauge = field(default_factory=body_limits.Gauge)
    grown: int = 0
    longest: int = 0
    decoder: codecs.IncrementalDecoder = field(default_factory=lambda: codecs.getincrementaldecoder("utf-8")("strict"))

    @property
    def counts_itself(self) -> bool:
        return True

    async def fits(self) -> bool:
        grown, self.grown = self.grown, 0
        return await self.gauge.fits(grown)

    def close(self) -> None:
        Reading.close(self)
        self.gauge.close()

    def kept(self, event: SseEvent, at: float) -> Chunk:
        if event.data != DONE:
            self.grown += max(0, len(event.data) - self.longest)
            self.longest = len(event.data)
        data = self.take(Chunk(at, event_data(event.data), event.event))
        return Chunk(at, data, event.event)

    def add(self, piece: bytes, at: float) -> None:
        self._check(piece)
        Reading.add(self, piece, at)
        if len(self.raw) > body_limits.LARGE:
            self.raw[body_limits.KEPT : -body_limits.KEPT] = b""

    @property
    def body(self) -> bytes:
        """The body as far as it is kept: it is none to be parsed where its middle was dropped."""
        whole = bytes(self.raw)
        return (
            whole
            if len(whole) == self.size
            else body_limits.Cut(whole, f"{self.size} bytes, of which the ends are kept")
        )

    def _check(self, piece: bytes) -> None:
        """Find the first bytes that are no UTF-8, also where a character is split over pieces."""
        if self.odd_bytes:
            return
        try:
            self.decoder.decode(piece)
        except UnicodeDecodeError as error:
            before, after = BESIDE
            self.odd_bytes = bytes(error.object[max(0, error.start - before) : error.start + after])
