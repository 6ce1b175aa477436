"""The message about an unknown name: what it was perhaps meant to be, and what there is."""

import difflib
import re
from collections.abc import Iterable

FEW = 12  # names that fit into one line


def similar_names(name: str, known: Iterable[str], cutoff: float = 0.6) -> list[str]:
    """The known names that look like this one, the closest first; letters of another case make no difference."""
    by_lower = {one.lower(): one for one in known}
    return [by_lower[one] for one in difflib.get_close_matches(name.lower(), by_lower, n=3, cutoff=cutoff)]


def unknown_name(what: str, name: object, known: Iterable[str]) -> str:
    """`unknown dialect 'calback'. Did you mean callback? Known: sync, callback, routed.`"""
    known = list(known)
    found = similar_names(str(name), known)
    hint = f" Did you mean {' or '.join(found)}?" if found else ""
    listed = f" Known: {', '.join(known)}." if known and (not found or len(known) <= FEW) else ""
    return f"unknown {what} {name!r}.{hint}{listed}"


def near_texts(words: str, texts: Iterable[str], most: int = 3) -> list[str]:
    """The texts that have words like these, those with the most of them first."""
    texts = list(dict.fromkeys(texts))
    known = {word for text in texts for word in _words(text)}
    wanted = [set(difflib.get_close_matches(word, known, n=8, cutoff=0.75)) for word in _words(words)]
    scores = {text: sum(bool(near & _words(text)) for near in wanted) for text in texts}
    found = sorted((text for text in texts if scores[text]), key=lambda text: (-scores[text], len(text)))
    return found[:most]


def _words(text: str) -> set[str]:
    return set(re.findall(r"\w+", text.casefold()))
