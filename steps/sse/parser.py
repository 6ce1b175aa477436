"""Server-sent events without I/O: bytes in, events out, as the HTML standard says (9.2.6 "Interpreting an event stream").

The parser holds what is incomplete. It judges nothing; a stream that ends in the middle of an event says so.
"""

import codecs
import re
from dataclasses import dataclass

ENDS = re.compile(r"\r\n|\r|\n")
LONGEST_RETRY = 15  # digits; Python reads no number of thousands of them


@dataclass(frozen=True, slots=True)
class SseEvent:
    """One dispatched event. `id` is the last event id at that time, `retry` the reconnection time in ms of this event."""

    data: str
    event: str = "message"
    id: str = ""
    retry: int | None = None


class Parser:
    """Feed it chunks, split anywhere; it gives the events that they complete, in time that grows with what it was fed."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._begun: list[str] = []  # the pieces of a line without its end
        self._first = True
        self._after_cr = False
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
        """The lines that the text ends; a LF right after a CR belongs to it, wherever the chunks were split."""
        if not text:
            return []
        after_cr, self._after_cr = self._after_cr, text.endswith("\r")
        if after_cr:
            text = text.removeprefix("\n")
        first, *others = ENDS.split(text)
        if not others:
            self._begun += [first] if first else []
            return []
        lines = ["".join((*self._begun, first)), *others]
        self._begun = [rest] if (rest := lines.pop()) else []
        return lines

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
