"""Server-sent events (WHATWG HTML, 9.2) as OpenAI streams use them: `data:` lines, `[DONE]` at the end."""

import re

from rollout_conformance.rollout_server.common import json_text

MEDIA_TYPE = "text/event-stream"
END = re.compile(rb"\r\n\r\n|\n\n|\r\r|\n\r\n|\r\n\n")
LINE = re.compile(rb"\r\n|\n|\r")
DONE = b"[DONE]"
DONE_EVENT = b"data: [DONE]\n\n"


class Splitter:
    """Bytes in, complete events out, byte for byte as they were received."""

    def __init__(self) -> None:
        self._rest = bytearray()

    def feed(self, chunk: bytes) -> list[bytes]:
        searched = max(0, len(self._rest) - 3)  # the end of an event may have begun in the last bytes
        self._rest += chunk
        events, start = [], 0
        while found := END.search(self._rest, max(searched, start)):
            events.append(bytes(self._rest[start : found.end()]))
            start = found.end()
        del self._rest[:start]
        return events

    @property
    def size(self) -> int:
        return len(self._rest)


def data(event: bytes) -> bytes | None:
    """The data of an event, None for a comment."""
    lines = [line.partition(b":")[2] for line in LINE.split(event) if line.partition(b":")[0] == b"data"]
    return b"\n".join(line.removeprefix(b" ") for line in lines) if lines else None


def is_done(event: bytes) -> bool:
    return DONE in event and data(event) == DONE


def event(value: object) -> bytes:
    return b"data: " + json_text.dumps(value) + b"\n\n"
