"""The message about an unknown name: what it was perhaps meant to be, and what there is."""

import difflib
import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping

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
    """The texts that have words like these, those with the most of them first, and of those the ones that have them in this order."""
    texts = list(dict.fromkeys(texts))
    known = {word for text in texts for word in _words(text)}
    wanted = [set(difflib.get_close_matches(word, known, n=8, cutoff=0.75)) for word in _words(words)]
    scores = {text: sum(bool(near & _words(text)) for near in wanted) for text in texts}
    found = sorted(
        (text for text in texts if scores[text]), key=lambda one: (-scores[one], *_in_order(words, one), len(one))
    )
    return found[:most]


def _in_order(words: str, text: str) -> tuple[int, int]:
    """Less for a text that has more of these characters in this order, and of two that have as many, for the one that begins with them."""
    blocks = difflib.SequenceMatcher(None, words.casefold(), text.casefold(), autojunk=False).get_matching_blocks()
    return -sum(one.size for one in blocks), blocks[0].b


VALUES = re.compile(r'"[^"]*"|\{[^{}]*\}|<[^<>]*>|\d+')
COMMON = re.compile("a|an|the|is|are|was|were|be|it|its|has|have|had|of|to|by|in|at|and|that")
ENDING = re.compile(r"(?<=\w{3})(ing|ed|es|s|e)$")


def near_sentences(
    text: str, sentences: Iterable[str], most: int = 3, meant: Mapping[str, tuple[str, ...]] | None = None
) -> list[str]:
    """The sentences that are about what `text` is about, the nearest first. Values and `<parameters>` count for nothing, and a word counts
    the more the fewer sentences have it. `meant` has the words that sentences have for others."""
    words = {one: _stems(one) for one in sentences}
    counted = Counter(word for some in words.values() for word in some)
    weight = {word: math.log(1 + len(words) / count) for word, count in counted.items()}
    written = _stems(text)
    other = {
        stem: _stems(" ".join(ones)) & set(weight) for word, ones in (meant or {}).items() for stem in _stems(word)
    }
    near = {
        one: [one]
        if one in weight
        else [*other.get(one, ())] or difflib.get_close_matches(one, weight, n=3, cutoff=0.8)
        for one in written
    }
    about = {word for some in near.values() for word in some}
    strange = sum(not some for some in near.values()) * math.log(1 + len(words))  # in no sentence: as rare as can be

    def shared(some: set[str]) -> float:
        both, either = some & about, some | about
        return sum(map(weight.__getitem__, both)) / (strange + sum(map(weight.__getitem__, either)))

    scores = {one: shared(some) for one, some in words.items()}
    found = sorted(scores, key=lambda one: (-scores[one], -difflib.SequenceMatcher(None, text, one).ratio()))
    return [one for one in found[:most] if scores[one] >= 0.1]


def _stems(sentence: str) -> set[str]:
    return {ENDING.sub("", word) for word in _words(VALUES.sub(" ", sentence)) if not COMMON.fullmatch(word)}


def _words(text: str) -> set[str]:
    return set(re.findall(r"\w+", text.casefold()))
