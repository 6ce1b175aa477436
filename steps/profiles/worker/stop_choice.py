"""A stop text that a known output contains: so a worker with any model can be asked to stop within it. Pure."""

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise

LONG = 4  # characters of a token that holds two stop texts
CHANGES: Mapping[str, Callable[[str], str]] = {"case": str.swapcase, "spaces": lambda text: f" {text} "}
FIRST = 2  # tokens that come before a stop text, so that something is generated


def stop_within(texts: Sequence[str], spans: int, change: str = "") -> str | None:
    """A text that begins within one token of an output, ends `spans` - 1 tokens later, and does not occur before; with 0 the first half of
    a token. With one of `CHANGES`, the output does not contain what that makes of it. Tokens without a text of their own, as while half a
    character is held back, count with the next one that has some. None where the output has no such text."""
    if not spans:
        return _half(texts)
    shown = [text for text in texts if text]
    joined = "".join(shown)
    starts = [0]
    for text in shown:
        starts.append(starts[-1] + len(text))
    for first in range(FIRST, len(shown) - spans):
        found = _spanning(shown[first : first + spans])
        at = starts[first] + len(shown[first]) - 1 if spans > 1 else starts[first]
        if found.strip() and joined.find(found) == at and not (change and CHANGES[change](found) in joined):
            return found
    return None


def _half(texts: Sequence[str]) -> str | None:
    """The first half of a token of at least four characters, both halves of which do not occur before."""
    joined, at = "", 0
    for n, text in enumerate(texts):
        whole = joined + text
        half = len(text) // 2
        if n >= FIRST and len(text) >= LONG and all(whole.find(one) >= at for one in (text[:half], text[half:])):
            return text[:half]
        joined, at = whole, len(whole)
    return None


def later_stop(texts: Sequence[str], stop: str) -> str | None:
    """A text that begins behind a stop text in an output, and does not occur before: the rest of the token that completes the stop text, or
    where that has none, the first three characters after it that fit. None where there are none."""
    position = stop_position(texts, stop)
    if position is None:
        return None
    joined, behind = "".join(texts), position[0] + len(stop)
    rest = joined[behind : len("".join(texts[: position[1]]))]
    if rest and joined.find(rest) >= behind:
        return rest
    candidates = (joined[at : at + 3] for at in range(behind + 2, len(joined) - 2))
    return next((one for one in candidates if one.strip() and joined.find(one) >= behind), None)


def _spanning(texts: Sequence[str]) -> str:
    """From the last character of the first text to the first one of the last; the whole text of one alone."""
    if len(texts) == 1:
        return texts[0]
    first, *between, last = texts
    return first[-1] + "".join(between) + last[0]


def stop_position(texts: Sequence[str], stop: str) -> tuple[int, int] | None:
    """Where a stop text first occurs in an output: its place in the text, and how many tokens there are when it is complete."""
    joined = "".join(texts)
    at = joined.find(stop)
    if at < 0:
        return None
    ends = [0]
    for text in texts:
        ends.append(ends[-1] + len(text))
    complete = at + len(stop)
    count = next(n for n, (_, end) in enumerate(pairwise(ends), start=1) if end >= complete)
    return at, count
