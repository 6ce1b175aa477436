"""The stream of a job while it is read: as its dialect frames it, and never more of it in memory than its tokens."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice

from rollout_conformance.steps.profiles.worker.dialects.base import DELTA, Dialect, EventReader, Framing
from rollout_conformance.steps.profiles.worker.events import Tokens, Transcript
from rollout_conformance.steps.sse.growing import GrowingReading
from rollout_conformance.steps.sse.streams import Chunk, Reading


@dataclass(slots=True)
class CumulativeReading(GrowingReading):
    """A stream of which each event has all tokens so far: the reader of the dialect keeps the new ones."""

    reader: EventReader = field(kw_only=True)


def reading_of(dialect: Dialect, framing: Framing, most: int) -> Reading:
    """What the stream of a job is read into."""
    if framing == DELTA or dialect.stream_reader is None:
        return Reading(most)
    reader = dialect.stream_reader(framing)

    def take(chunk: Chunk) -> object:
        reader.feed(chunk)
        return dialect.without_output(chunk.data)

    return CumulativeReading(most, take=take, reader=reader)


def transcript_of(reading: Reading, dialect: Dialect, framing: Framing) -> Transcript:
    """The events of a stream that was read; none of a response that is no success."""
    if reading.status is None or not 200 <= reading.status < 300:
        return Transcript()
    if isinstance(reading, CumulativeReading):
        return reading.reader.transcript
    return dialect.read(reading.chunks, framing)


def has_tokens(reading: Reading, dialect: Dialect, count: int) -> bool:
    """Whether so many events with tokens were read."""
    return sum(1 for _ in islice(_bearing(reading, dialect), count)) >= count


def events_with_tokens(reading: Reading, dialect: Dialect) -> int:
    return sum(1 for _ in _bearing(reading, dialect))


def _bearing(reading: Reading, dialect: Dialect) -> Iterator[object]:
    """The events with tokens, of which a cumulative stream has only those that were read from it."""
    if isinstance(reading, CumulativeReading):
        return (one for one in reading.reader.events if isinstance(one, Tokens))
    return (one for one in reading.chunks if _bears_tokens(dialect, one))


def _bears_tokens(dialect: Dialect, chunk: Chunk) -> bool:
    return any(isinstance(one, Tokens) for one in dialect.read([chunk], "delta").events)
