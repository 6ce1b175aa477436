"""What mutants of several servers do as programs in JavaScript do by mistake."""

from collections.abc import Sequence
from typing import Any

OF_EVERY_OBJECT = ("__proto__", "constructor", "toString", "valueOf", "hasOwnProperty")  # what `name in {}` finds
PIECE = 256  # units of UTF-16


def in_pieces_of_utf16(text: str) -> str:
    """The text as it is when each piece becomes UTF-8 by itself: U+FFFD for each half of a character between two pieces."""
    units = text.encode("utf-16-le", "surrogatepass")
    if len(units) <= 2 * PIECE:
        return text
    pieces = (units[start : start + 2 * PIECE] for start in range(0, len(units), 2 * PIECE))
    return "".join(piece.decode("utf-16-le", "replace") for piece in pieces)


def contents_in_pieces(messages: Sequence[Any]) -> list[Any]:
    """The messages with each content that is a text copied so."""
    return [
        {**one, "content": in_pieces_of_utf16(one["content"])} if isinstance(one.get("content"), str) else one
        for one in messages
    ]


def last_result_of_each_id(messages: Sequence[Any]) -> list[Any]:
    """Tool messages are kept in a map by their ids in lower case, so that the last of those that differ only in case is left."""
    last = {str(one.get("tool_call_id")).lower(): one for one in messages if one.get("role") == "tool"}
    return [one for one in messages if one.get("role") != "tool" or last[str(one.get("tool_call_id")).lower()] is one]


def results_without_object_members(messages: Sequence[Any]) -> list[Any]:
    """An id that every object has a member for counts as seen, and its tool message as a duplicate."""
    return [one for one in messages if one.get("tool_call_id") not in OF_EVERY_OBJECT]
