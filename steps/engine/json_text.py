"""JSON of an untrusted sender, as a value, or the reason why it is none.

What is nested deeper, or has more values, than any message of the protocols is refused before it is parsed: the parsers and the code that
walks through the value afterwards would need the stack, or a gigabyte, for it.
"""

import json
from array import array
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import orjson

from rollout_conformance.steps.engine.body_limits import Cut

DEEPEST = 200  # levels; the deepest that the suite itself sends has less than twenty
MOST_VALUES = 2_000_000
HUGE = b"0" * 19  # digits in a row; 64 bits may be exceeded from there on
ANY_DIGIT = bytes.maketrans(b"123456789", b"0" * 9)
ONLY_STRUCTURE = bytes(set(range(256)) - set(b'"[]{},'))
STEP = bytes.maketrans(b"[{]}", b"\x01\x01\xff\xff")


@dataclass(frozen=True, slots=True)
class NotJson:
    """A body, or a text that should be JSON, which is none. It shows itself by the reason."""

    why: str

    def __repr__(self) -> str:
        return f"no JSON ({self.why})"


def parse(body: bytes) -> Any:
    """The JSON value of a body, or a `NotJson`.

    The standard parser reads what orjson refuses (lone surrogates, NaN) and what it would round (integers beyond 64 bits).
    """
    if isinstance(body, Cut):
        return NotJson(body.why)
    if (reason := _too_much(body)) is not None:
        return NotJson(reason)
    if HUGE in body.translate(ANY_DIGIT):
        return _lenient(body)
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return _lenient(body)


def well_formed(text: str) -> str:
    """The text with U+FFFD for each lone surrogate: JSON can escape one, UTF-8 and so a URL cannot hold one."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _lenient(body: bytes) -> object:
    try:
        return json.loads(body.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        return NotJson(f"not UTF-8: byte 0x{body[error.start]:02x} at {error.start}")
    except json.JSONDecodeError as error:
        return NotJson("it is empty" if not body.strip() else f"{error.msg} at {error.pos}")
    except ValueError:  # the limit of Python on the digits of an integer
        return NotJson("a number of more than 4300 digits")
    except RecursionError:
        return NotJson(f"nested deeper than {DEEPEST} levels")


def _too_much(body: bytes) -> str | None:
    """Why a text is not even parsed. Most bodies are short enough to be sure at once."""
    opened = body.count(b"[") + body.count(b"{")
    if opened <= DEEPEST and opened + body.count(b",") <= MOST_VALUES:
        return None
    structure = _structure(body)
    if structure is None or structure.count(b"[") + structure.count(b"{") + structure.count(b",") > MOST_VALUES:
        return f"more than {MOST_VALUES:,} values"
    steps = array("b", structure.replace(b",", b"").translate(STEP))
    if max(accumulate(steps), default=0) > DEEPEST:
        return f"nested deeper than {DEEPEST} levels"
    return None


def _structure(body: bytes) -> bytes | None:
    """The brackets and commas of a JSON text that are not within strings; None when there are too many strings."""
    plain = body.replace(b"\\\\", b"").replace(b'\\"', b"").translate(None, ONLY_STRUCTURE).replace(b'""', b"")
    if plain.count(b'"') > 4 * MOST_VALUES:  # a member has two strings at most
        return None
    return b"".join(plain.split(b'"')[::2])
