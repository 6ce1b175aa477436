"""What a sentence adds to a question: ` as a stream`, ` with the tools add and subtract`, ` with max_tokens 3 and seed 7`, one after the other.

No phrase here; those of the profiles `chat` and `router` end in such additions.
"""

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from rollout_conformance.steps.profiles.chat.phrase_references import words

HOW = r"(?P<how>(?:.*[^:])?)"  # a sentence that ends in a colon has a text block or a table below it
MEMBER = re.compile(r" (?:with|and) (?P<name>[a-z]\w*) (?=[\[{\"\dtfn-])")
Given = dict[str, Any]
Clause = tuple[str, str, Callable[[re.Match[str]], Given]]

NAMES = r"\w+(?:, \w+)*(?: and (?!left )\w+\b(?! [\[{\"\d-]))?"  # the last `and` may begin the next addition

KEYS: Mapping[str, str] = {
    "without a key": "none",
    "with a wrong key": "wrong",
    "with bytes for a key": "latin",
    "with its key in other letters": "small",
    "with a key that is longer by one": "longer",
    "with its key in X-API-Key": "x_right",
}
KEYED: tuple[Clause, ...] = (
    (rf" ({'|'.join(KEYS)})", f" {' / '.join(KEYS)}", lambda m: {"key": KEYS[m[1]]}),
    (r' with the key "([\w-]+)"', ' with the key "limited"', lambda m: {"key": m[1]}),
)
HEADER: Clause = (
    r' (?:with|and) the header ([\w-]+) "([^"]*)"',
    ' with the header X-A "b"',
    lambda m: {"headers": {m[1]: m[2]}},
)
ASKING: tuple[Clause, ...] = (
    *KEYED,
    HEADER,
    (r" as a stream", " as a stream", lambda m: {"stream": True}),
    (r" (\d+) times at once", " 3 times at once", lambda m: {"times": int(m[1])}),
    (r" under (\d+) seeds", " under 8 seeds", lambda m: {"times": int(m[1]), "seeds": True}),
    (rf" with the tools? ({NAMES})", " with the tools add and subtract", lambda m: {"tools": words(m[1])}),
    (rf" without ({NAMES})", " without max_tokens", lambda m: {"without": words(m[1])}),
    (r" and left after (\d+) chunks?", " and left after 4 chunks", lambda m: {"leave_after": int(m[1])}),
)
SENDING: tuple[Clause, ...] = (
    *KEYED,
    HEADER,
    (r" filled up to (\d+) bytes", " filled up to 1048576 bytes", lambda m: {"size": int(m[1])}),
)


def of_question(how: str) -> Given:
    """The members of an `Ask`. Raises `ValueError` for what is none of the additions."""
    return _read(how, ASKING, members=True)


def of_request(how: str) -> Given:
    """The members of a `Send`. Raises `ValueError` for what is none of the additions."""
    return _read(how, SENDING, members=False)


def of_client(how: str) -> Given:
    """The key of whoever asks. Raises `ValueError` for what is none of the additions."""
    return _read(how, KEYED, members=False)


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
        return {"change": {found["name"]: value}}, how[found.end() + end :]
    known = [shown for _, shown, _ in clauses] + ([" with max_tokens 3 and seed 7"] if members else [])
    raise ValueError(f"not understood: {how!r}. What may be added:" + "".join(f"\n    {shown}" for shown in known))


def _json(text: str) -> tuple[Any, int]:
    try:
        value, end = json.JSONDecoder().raw_decode(text)
    except ValueError:
        raise ValueError(
            f"not JSON: {text}. Write numbers as they are, texts in double quotes, null, true or false"
        ) from None
    return value, int(end)
