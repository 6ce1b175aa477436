"""From the bytes of tokens to visible text: characters only when they are complete, and nothing of a stop text."""

import codecs
from collections.abc import Sequence


class TextAssembly:
    """`add` returns what a token adds to the visible text. After a stop text, `matched` names it.

    Bytes that are no UTF-8 are left out, or with `keep_invalid` shown as U+FFFD. What may be the beginning of a stop text is held back
    until it is known.
    """

    def __init__(self, stops: Sequence[str] = (), *, keep_stop: bool = False, keep_invalid: bool = False) -> None:
        self._stops, self._keep_stop = tuple(stops), keep_stop
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace" if keep_invalid else "ignore")
        self._held = ""
        self.matched: str | None = None

    def add(self, data: bytes) -> str:
        text = self._held + self._decoder.decode(data)
        found = first_stop(text, self._stops)
        if found is not None:
            position, self.matched = found
            self._held = ""
            return text[:position] + (self.matched if self._keep_stop else "")
        held = held_back(text, self._stops)
        self._held = text[len(text) - held :]
        return text[: len(text) - held]

    def flush(self) -> str:
        """The rest of the text, when no token follows."""
        rest, self._held = self._held, ""
        return rest


def first_stop(text: str, stops: Sequence[str]) -> tuple[int, str] | None:
    """The stop text that begins first, of several the first in the request."""
    found = [(text.find(stop), order, stop) for order, stop in enumerate(stops)]
    earliest = min((one for one in found if one[0] >= 0), default=None)
    return None if earliest is None else (earliest[0], earliest[2])


def held_back(text: str, stops: Sequence[str]) -> int:
    """How many characters at the end may be the beginning of a stop text."""
    return max((longest_beginning(text, stop) for stop in stops), default=0)


def longest_beginning(text: str, stop: str) -> int:
    lengths = range(min(len(text), len(stop) - 1), 0, -1)
    return next((length for length in lengths if text.endswith(stop[:length])), 0)
