"""What may stand in the place of a member in a sentence of Gherkin: the types of the placeholders, each defined once.

`{count}` takes the type of the member `count`; `{count:number}` names one of these.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth")
_WHICH = rf"the (?:{'|'.join(ORDINALS)})"
_ONE = rf"(?:it|the response|{_WHICH}(?: response)?)"


@dataclass(frozen=True, slots=True)
class PhraseType:
    """`pattern` is what is written, `convert` gives the value of the member; it raises `ValueError` for what is none.
    `example` is how it looks on the vocabulary's page."""

    name: str
    pattern: str
    convert: Callable[[str], Any]
    example: str


CURLY = "\u201c\u201d\u201e\u2018\u2019\u00ab"  # quotation marks of word processors


def words(text: str) -> list[str]:
    """The words of `a, b and c`, or of `a or b`."""
    return [word for part in text.split(", ") for word in part.replace(" or ", " and ").split(" and ") if word]


def _number(text: str) -> int | float:
    return float(text) if "." in text else int(text)


def _statuses(text: str) -> list[int | str]:
    return [int(word) if word.isdigit() else word for word in words(text)]


def _json(text: str) -> object:
    try:
        return json.loads(text)
    except ValueError as error:
        hint = "Write numbers as they are, texts in double quotes, several values as [8, 42], null, true or false"
        if re.fullmatch(r"-?\d+,\d+", text):
            hint = f"Write a number with a point, {text.replace(',', '.')}, or several as [{text.replace(',', ', ')}]"
        elif text[:1] in CURLY:
            hint = 'Write texts in straight double quotes, as "text"'
        raise ValueError(f"{text} is not JSON ({error}). {hint}") from None


def _member(text: str) -> dict[str, object]:
    name, _, value = text.partition(" ")
    return {name: _json(value)}


def responses(text: str) -> list[str]:
    """`it`, `both`, `all`, or `the first and the second response`."""
    return [response(word) for word in words(text)]


def response(text: str) -> str:
    """`it` or `the response` (the last one), or `the second response`."""
    if text in ("it", "the response"):
        return "it"
    return text.removesuffix(" responses").removesuffix(" response").removeprefix("the ")


TYPES: Mapping[str, PhraseType] = {
    one.name: one
    for one in (
        PhraseType("int", r"\d+", int, "3"),
        PhraseType("number", r"\d+(?:\.\d+)?", _number, "1.5"),
        PhraseType("word", r"[\w-]+", str, "word"),
        PhraseType("text", r'"[^"]*"', lambda text: text[1:-1], '"a text"'),
        PhraseType("path", r"/\S*", str, "/health"),
        PhraseType("names", r"[\w-]+(?:, [\w-]+)*(?: (?:and|or) [\w-]+)?", words, "add and subtract"),
        PhraseType("status", r"\d{3}|[1-5]xx", lambda text: _statuses(text)[0], "200"),
        PhraseType(
            "statuses", r"(?:\d{3}|[1-5]xx)(?:, (?:\d{3}|[1-5]xx))*(?: (?:and|or) (?:\d{3}|[1-5]xx))?", _statuses, "200"
        ),
        PhraseType("json", r"\S.*", _json, '{"a": 1}'),
        PhraseType("member", r"\w+ \S.*", _member, "max_turns 3"),
        PhraseType("response", _ONE, response, "the response"),
        PhraseType(
            "responses",
            rf"(?:it|the response|(?:both|all)(?: responses)?|{_WHICH}(?:, {_WHICH})*(?: and {_WHICH})?(?: responses?)?)",
            responses,
            "the response",
        ),
        PhraseType(
            "several_responses",
            rf"(?:(?:both|all)(?: responses)?|{_WHICH}(?:, {_WHICH})* and {_WHICH}(?: responses?)?)",
            responses,
            "both responses",
        ),
    )
}


def choice(allowed: tuple[str, ...]) -> PhraseType:
    """One of some words."""
    return PhraseType("word", "|".join(map(re.escape, sorted(allowed, key=len, reverse=True))), str, allowed[0])


def choices(allowed: tuple[str, ...]) -> PhraseType:
    """Some of these words."""
    one = f"(?:{choice(allowed).pattern})"
    return PhraseType("words", rf"{one}(?:, {one})*(?: (?:and|or) {one})?", words, allowed[0])
