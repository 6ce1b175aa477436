"""Server-sent events in the bytes of a stream: where each one ends, and what it carries."""

import re

from rollout_conformance.rollout_server.common import json_text

END = re.compile(rb"\r\n\r\n|\n\n|\r\r|\n\r\n|\r\n\n")
LINE = re.compile(rb"\r\n|\n|\r")
DONE = b"[DONE]"


class Splitter:
    """Bytes in, whole events out with every byte they came with."""

    def __init__(self) -> None:
        self._rest = bytearray()

    def feed(self, chunk: bytes) -> list[bytes]:
        searched = max(0, len(self._rest) - 3)  # an end may have begun in the last bytes
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
    """The data of an event, none of a comment."""
    lines = [line.partition(b":")[2] for line in LINE.split(event) if line.partition(b":")[0] == b"data"]
    return b"\n".join(line.removeprefix(b" ") for line in lines) if lines else None


def is_done(event: bytes) -> bool:
    return DONE in event and data(event) == DONE


def event(value: object) -> bytes:
    return b"data: " + json_text.dumps(value) + b"\n\n"
