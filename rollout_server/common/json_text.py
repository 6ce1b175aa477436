"""JSON text (RFC 8259) to values and back without loss.

Parsing is left to the standard library: a faster parser turns big integers into floats and rejects a lone surrogate, and
both occur in text that a policy sampled. Writing tries the faster library first.
"""

import json
import re
from typing import Any, NoReturn

import orjson

MAX_DEPTH = 128  # far deeper than any message, and within the recursion limits of writers and templates


class NotJsonError(ValueError):
    """The bytes are not JSON, or nested too deeply."""


def _reject(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


_HUGE = re.compile(rb"[eE]\+?[0-9]{3}|[0-9]{200}")  # with an exponent of two digits a number needs that many before it

_decoder = json.JSONDecoder(parse_constant=_reject)


def loads(data: bytes | str) -> Any:
    """Parse JSON. Raises `NotJsonError`, also for NaN and for deep nesting."""
    try:
        text = data.decode("utf-8-sig") if isinstance(data, bytes) else data
        value = _decoder.decode(text)
    except (ValueError, RecursionError) as error:
        raise NotJsonError("not valid JSON") from error
    if _may_be_deep(text) and too_deep(value):
        raise NotJsonError("nested too deeply")
    return value


def dumps(value: Any) -> bytes:
    """Compact JSON bytes that parse to the same value anywhere."""
    try:
        return orjson.dumps(value)
    except TypeError:  # a lone surrogate, or an integer beyond 64 bits
        return json.dumps(value, separators=(",", ":"), allow_nan=False).encode()


def canonical(value: Any) -> bytes:
    """The same bytes for equal values, whatever the order of keys."""
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    except TypeError:
        return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def size(value: Any) -> int:
    """Bytes of the compact UTF-8 text."""
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    return len(text.encode("utf-8", "surrogatepass"))


def is_finite(value: Any) -> bool:
    """False when a number such as 1e999 was too large for a float: it cannot be written as JSON."""
    try:
        json.dumps(value, allow_nan=False)
    except ValueError:
        return False
    return True


def may_be_infinite(text: bytes) -> bool:
    """Whether it holds something like a number of more than 300 digits. A search is far cheaper than `is_finite`."""
    return _HUGE.search(text) is not None


def too_deep(value: Any) -> bool:
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [child for item in level for child in _children(item)]
        if not level:
            return False
    return True


def _children(value: Any) -> list[Any]:
    items = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [item for item in items if isinstance(item, dict | list)]


def _may_be_deep(text: str) -> bool:
    # Counting brackets is cheap, and makes the walk unnecessary for nearly every body.
    return text.count("[") + text.count("{") > MAX_DEPTH
