"""Server-sent events without I/O: bytes in, events out, as the HTML standard says (9.2.6 "Interpreting an event stream").

The parser holds what is incomplete. It judges nothing; a stream that ends in the middle of an event says so.
"""

import codecs
from dataclasses import dataclass

LONGEST_RETRY = 15  # digits; Python reads no number of thousands of them


@dataclass(frozen=True, slots=True)
class SseEvent:
    """One dispatched event. `id` is the last event id at that time, `retry` the reconnection time in ms of this event."""

    data: str
    event: str = "message"
    id: str = ""
    retry: int | None = None


class Parser:
    """Feed it chunks, split anywhere; it gives the events that they complete."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._begun: list[str] = []  # pieces of a line that has no end yet: joined once, however small the chunks are
        self._first = True
        self._half = False  # whether the last sign was a CR: an LF behind it belongs to the same end of a line
        self._last_id = ""
        self._clear()

    def feed(self, chunk: bytes) -> list[SseEvent]:
        text = self._decoder.decode(chunk)
        if self._first and text:
            self._first = False
            text = text.removeprefix("\ufeff")
        return [event for line in self._lines(text) if (event := self._line(line)) is not None]

    def eof(self) -> bool:
        """Whether the stream ended cleanly: an event without its blank line is discarded, as the standard says."""
        return not (self._begun or self._data or self._event)

    def _clear(self) -> None:
        self._data: list[str] = []
        self._event = ""
        self._retry: int | None = None

    def _lines(self, text: str) -> list[str]:
        """The lines that a text completes. A CR ends a line at once: whether an LF follows does not change it."""
        if not text:
            return []
        text, self._half = text.removeprefix("\n") if self._half else text, text.endswith("\r")
        *whole, rest = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
        if whole:
            whole[0] = "".join([*self._begun, whole[0]])
            self._begun = []
        if rest:
            self._begun.append(rest)
        return whole

    def _line(self, line: str) -> SseEvent | None:
        if not line:
            return self._dispatch()
        name, _, value = line.partition(":")
        self._field(name, value.removeprefix(" "))
        return None

    def _field(self, name: str, value: str) -> None:
        if name == "data":
            self._data.append(value)
        elif name == "event":
            self._event = value
        elif name == "id" and "\0" not in value:
            self._last_id = value
        elif name == "retry" and value.isascii() and value.isdigit() and len(value) <= LONGEST_RETRY:
            self._retry = int(value)

    def _dispatch(self) -> SseEvent | None:
        event = (
            SseEvent("\n".join(self._data), self._event or "message", self._last_id, self._retry)
            if self._data
            else None
        )
        self._clear()
        return event
