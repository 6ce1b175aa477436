"""A name or an id as a user writes it: `*` stands for any text, and every other character for itself.

`fnmatch` is not used: the names of rows of Examples have brackets, which it reads as sets of characters.
"""

import re
from collections.abc import Iterable
from functools import cache


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(".*".join(map(re.escape, re.split(r"\*+", pattern))), re.DOTALL)


def matches(pattern: str, texts: Iterable[str]) -> bool:
    """Whether the pattern is one of these texts as a whole."""
    return any(_compiled(pattern).fullmatch(text) for text in texts)


def is_in(pattern: str, texts: Iterable[str]) -> bool:
    """Whether the pattern is a part of one of these texts, in any case."""
    return any(_compiled(pattern.casefold()).search(text.casefold()) for text in texts)
