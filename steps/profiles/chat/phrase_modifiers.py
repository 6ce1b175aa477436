"""What a sentence adds to a request: ` as a stream`, ` with the tools add and subtract`, ` with max_tokens 3 and seed 7`, one after the other.

No sentence here; those that send a request end in such modifiers.
"""

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from rollout_conformance.steps.engine.phrase_types import words

HOW = r"(?P<how>(?:.*[^:])?)"  # a sentence that ends in a colon has a text block or a table below it
MEMBER = re.compile(r" (?:with|and) (?P<name>[a-z]\w*) (?=[\[{\"\dtfn-])")
Given = dict[str, Any]
Clause = tuple[str, str, Callable[[re.Match[str]], Given]]

NAMES = r"\w+(?:, \w+)*(?: and (?!disconnects )\w+\b(?! [\[{\"\d-]))?"  # the last `and` may begin the next addition

KEYS: Mapping[str, str] = {
    "without an API key": "none",
    "with a wrong API key": "wrong",
    "with an API key that is not ASCII": "latin",
    "with the API key in the other case": "small",
    "with the API key and one more letter": "longer",
    "with the API key without its last letter": "shorter",
    "with the API key in X-API-Key": "x_right",
}
KEYED: tuple[Clause, ...] = (
    (rf" ({'|'.join(KEYS)})", f" {' / '.join(KEYS)}", lambda m: {"key": KEYS[m[1]]}),
    (r' with the API key "([\w-]+)"', ' with the API key "limited"', lambda m: {"key": m[1]}),
)
HEADER: Clause = (
    r' (?:with|and) the header ([\w-]+) "([^"]*)"',
    ' with the header X-A "b"',
    lambda m: {"headers": {m[1]: m[2]}},
)
CHAT: tuple[Clause, ...] = (
    *KEYED,
    HEADER,
    (r" as a stream", " as a stream", lambda m: {"stream": True}),
    (r" (\d+) times concurrently", " 3 times concurrently", lambda m: {"times": int(m[1])}),
    (r" (\d+) times in sequence", " 3 times in sequence", lambda m: {"times": int(m[1]), "concurrent": False}),
    (
        r" (\d+) times in the background",
        " 3 times in the background",
        lambda m: {"times": int(m[1]), "background": True},
    ),
    (r" with (\d+) different seeds", " with 8 different seeds", lambda m: {"times": int(m[1]), "distinct_seeds": True}),
    (rf" with the tools? ({NAMES})", " with the tools add and subtract", lambda m: {"tools": words(m[1])}),
    (rf" without ({NAMES})", " without max_tokens", lambda m: {"without": words(m[1])}),
    (
        r" and disconnects after (\d+) chunks?",
        " and disconnects after 4 chunks",
        lambda m: {"disconnect_after": int(m[1])},
    ),
)
ANY: tuple[Clause, ...] = (
    *KEYED,
    HEADER,
    (r" padded to (\d+) bytes", " padded to 1048576 bytes", lambda m: {"size": int(m[1])}),
)


SHOWN = tuple(dict.fromkeys([*(shown for _, shown, _ in (*CHAT, *ANY)), " with max_tokens 3 and seed 7"]))


def of_chat(how: str) -> Given:
    """The members of a `chat`. Raises `ValueError` for what is none of the modifiers."""
    return _read(how, CHAT, members=True)


def of_request(how: str) -> Given:
    """The members of a `send`. Raises `ValueError` for what is none of the modifiers."""
    return _read(how, ANY, members=False)


def _read(how: str, clauses: tuple[Clause, ...], members: bool) -> Given:
    given: Given = {}
    while how:
        found, how = _next(how, clauses, members)
        for name, value in found.items():
            given[name] = {**given.get(name, {}), **value} if isinstance(value, dict) else value
    return given


def _next(how: str, clauses: tuple[Clause, ...], members: bool) -> tuple[Given, str]:
    for pattern, _, read in clauses:
        if found := re.match(pattern, how):
            return read(found), how[found.end() :]
    if members and (found := MEMBER.match(how)):
        value, end = _json(how[found.end() :])
        return {"body": {found["name"]: value}}, how[found.end() + end :]
    known = [shown for _, shown, _ in clauses] + ([" with max_tokens 3 and seed 7"] if members else [])
    raise ValueError(f"not understood: {how!r}. What may stand here:" + "".join(f"\n    {shown}" for shown in known))


def _json(text: str) -> tuple[Any, int]:
    try:
        value, end = json.JSONDecoder().raw_decode(text)
    except ValueError:
        raise ValueError(
            f"not JSON: {text}. Write numbers as they are, texts in double quotes, several values as [8, 42], null, true or false"
        ) from None
    return value, int(end)
