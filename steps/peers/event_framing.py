"""Server-sent events as bytes, in each form that the HTML standard allows (9.2.5 "Parsing an event stream"). No I/O."""

import json
from collections.abc import Collection, Iterable
from typing import Literal

from rollout_conformance.steps.peers import completion_responses
from rollout_conformance.steps.peers.completion_responses import DONE

Framing = Literal["crlf", "cr", "no_space", "two_spaces", "comments", "fields", "data_lines"]
LINE_ENDS: dict[str, bytes] = {"crlf": b"\r\n", "cr": b"\r"}
PING = b": ping"
RETRY_MS = 1000


def framed(values: Iterable[object], framing: Collection[Framing] = ()) -> list[bytes]:
    """Each value as one event. A large stream repeats one value, which is encoded once."""
    kept = list(values)  # as long as one is kept, no other has its id
    if framing:
        return [_event(value, n, framing) for n, value in enumerate(kept)]
    known: dict[int, bytes] = {}
    for n, value in enumerate(kept):
        if id(value) not in known:
            known[id(value)] = _event(value, n, framing)
    return [known[id(value)] for value in kept]


def _event(value: object, number: int, framing: Collection[Framing]) -> bytes:
    end = next((LINE_ENDS[one] for one in framing if one in LINE_ENDS), b"\n")
    lines = [PING, b""] if "comments" in framing else []
    if "fields" in framing:
        lines += [b"event: message", b"id: %d" % number, b"retry: %d" % RETRY_MS]
    data = [_field(line, framing, value == DONE) for line in _data(value, framing)]
    if "comments" in framing:
        data = [*data, b":"]  # a comment within an event
    return end.join([*lines, *data, b"", b""])


def _data(value: object, framing: Collection[Framing]) -> list[bytes]:
    """The lines of the data: white space between the tokens of JSON may be a line end."""
    if value == DONE:
        return [DONE.encode()]
    if "data_lines" in framing:
        return json.dumps(value, ensure_ascii=False, indent=0).encode("utf-8", "surrogatepass").split(b"\n")
    return [completion_responses.encoded(value)]


def _field(line: bytes, framing: Collection[Framing], is_done: bool) -> bytes:
    """The first space after the colon does not belong to the data; a second one does, which changes no JSON but would change [DONE]."""
    space = b"" if "no_space" in framing else b"  " if "two_spaces" in framing and not is_done else b" "
    return b"data:" + space + line
