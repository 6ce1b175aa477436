"""Server-sent events without I/O: bytes in, events out, as the HTML standard says (9.2.6 "Interpreting an event stream").

The parser holds what is incomplete. It judges nothing; a stream that ends in the middle of an event says so.
"""

import codecs
from dataclasses import dataclass


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
        self._text = ""
        self._first = True
        self._last_id = ""
        self._clear()

    def feed(self, chunk: bytes) -> list[SseEvent]:
        text = self._decoder.decode(chunk)
        if self._first and text:
            self._first = False
            text = text.removeprefix("\ufeff")
        self._text += text
        return [event for line in self._lines() if (event := self._line(line)) is not None]

    def eof(self) -> bool:
        """Whether the stream ended cleanly: an event without its blank line is discarded, as the standard says."""
        return not (self._text or self._data or self._event)

    def _clear(self) -> None:
        self._data: list[str] = []
        self._event = ""
        self._retry: int | None = None

    def _lines(self) -> list[str]:
        """Whole lines; a CR at the end may be half of a CRLF and waits."""
        lines: list[str] = []
        while True:
            ends = [at for at in (self._text.find("\r"), self._text.find("\n")) if at >= 0]
            if not ends or (self._text[min(ends)] == "\r" and min(ends) + 1 == len(self._text)):
                return lines
            at = min(ends)
            width = 2 if self._text.startswith("\r\n", at) else 1
            lines.append(self._text[:at])
            self._text = self._text[at + width :]

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
        elif name == "retry" and value.isascii() and value.isdigit():
            self._retry = int(value)

    def _dispatch(self) -> SseEvent | None:
        event = (
            SseEvent("\n".join(self._data), self._event or "message", self._last_id, self._retry)
            if self._data
            else None
        )
        self._clear()
        return event
