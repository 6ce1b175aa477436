"""The banned words of the project, each with what to write instead. `docs/glossary.md` shows the same table; a test holds them together.

A phrase matches whole words, in any case, across line ends. A phrase that ends with a full stop matches only before punctuation or at
the end of a text. What stands in backticks is code and is not read.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

CODE = re.compile(r"`[^`]*`")
FILLER = "`"  # stands for code, so that no phrase reaches across it
ENDS = r"(?=\s*(?:[.,;:)!?]|\Z))"


@dataclass(frozen=True, slots=True)
class Row:
    """What to write, the phrases that it replaces, and an example of the right way."""

    write: str
    instead_of: tuple[str, ...]
    example: str


@dataclass(frozen=True, slots=True)
class Banned:
    """A banned phrase in a text: where it begins, as it is written there, and what to write."""

    at: int
    phrase: str
    write: str


ROWS = (
    Row(
        "name what is missing or invalid, and reject it",
        ("who has no", "who is no", "who gives no", "what is no", "what are no", "is no request", "which is none"),
        "MUST reject requests without `messages` with 400",
    ),
    Row(
        "byte for byte; unchanged",
        ("as it came", "as they came", "to the letter"),
        "MUST forward the body byte for byte",
    ),
    Row("unchanged", ("as it is.", "as they are.", "as it was.", "as they were."), "MUST forward the body unchanged"),
    Row(
        "return, respond with (a response); report (a callback, a metric, a status); log; distinguish",
        ("tell", "tells", "telling", "told", "say", "says", "saying", "said"),
        "MUST return 404 for an unknown id",
    ),
    Row("expected and observed", ("said and saw", "said, saw"), "expected 202, observed 500"),
    Row(
        "continue; resume; keep serving",
        ("go on", "goes on", "going on", "went on"),
        "MUST resume the stream on another backend",
    ),
    Row("revoke (a key); undo", ("take back", "takes back", "taken back", "took back"), "a revoked key"),
    Row("release (a connection, a slot)", ("let go", "lets go", "letting go"), "MUST release the slot"),
    Row(
        "internals: stack traces, file paths, class names",
        ("its inside", "the inside", "its insides", "the insides"),
        "error bodies MUST NOT expose internals",
    ),
    Row(
        "slot",
        ("a place", "no place", "its place", "free place", "free places", "places are free"),
        "one slot of the concurrency limit",
    ),
    Row("equal; the same", ("alike",), "two equal requests"),
    Row("is left to; belongs to", ("affair", "affairs"), "the timeout is left to the server"),
    Row(
        "retry; fail over; send to",
        ("asked of another", "asked of another one", "asked again", "ask again", "asks again"),
        "MUST fail over after a 503",
    ),
    Row(
        "send (a request) to; request (a generation) from",
        ("ask", "asks", "asked", "asking"),
        "requests the next generation from the trainer",
    ),
    Row("name the kind", ("of a kind", "of one kind"), "two tool calls with the same name"),
    Row(
        "reject",
        (
            "send away",
            "sends away",
            "sent away",
            "turned away",
            "refuse",
            "refuses",
            "is refused",
            "are refused",
            "was refused",
            "refused with",
            "or refused",
            "refused or",
        ),
        "MUST reject excess requests with 429",
    ),
    Row("when to retry", ("when to come again", "come again"), "MUST send `Retry-After`"),
    Row("truncate; truncated", ("cut", "cuts", "cut off", "cut short"), "the generation was truncated at the limit"),
    Row("exit; fail; stop", ("die", "dies", "died", "dying", "dead"), "a backend that exits during a stream"),
    Row(
        "the server; the trainer; the client",
        ("somebody", "someone", "anybody", "everybody", "nobody", "whoever"),
        "the client that started the rollout",
    ),
    Row("exactly the requested number", ("as many as were asked for", "so many"), "MUST return exactly `n` choices"),
    Row(
        "unknown; another; of another rollout",
        ("foreign", "stranger", "strangers", "stray", "strays"),
        "an unknown session id",
    ),
    Row("repeatedly; again", ("again and again", "over and over"), "retries the request repeatedly"),
    Row(
        "before, until or after a named event", ("by then", "until then", "so far as"), "before the completed callback"
    ),
    Row("MUST; SHOULD", ("shall", "ought to", "has to be able"), "MUST be a JSON object"),
    Row("invented", ("made up", "made-up", "out of thin air"), "MUST NOT return an invented value"),
    Row("end", ("come to an end", "comes to an end", "is over", "was over"), "the rollout ends with `COMPLETED`"),
    Row(
        "hold (a response); delay",
        ("sit on", "sits on", "keep waiting", "hold back", "holds back"),
        "the trainer delays the response",
    ),
    Row("discover; determine", ("found out",), "the suite discovers the dialect"),
    Row("without; ignored; absent", ("passed over", "all the same"), "an unknown member is ignored"),
)


def _pattern(phrase: str) -> str:
    words = r"\s+".join(re.escape(word) for word in phrase.removesuffix(".").split())
    return rf"\b{words}\b" + (ENDS if phrase.endswith(".") else "")


_WRITE = {phrase.removesuffix("."): row.write for row in ROWS for phrase in row.instead_of}
_LONGEST_FIRST = sorted((phrase for row in ROWS for phrase in row.instead_of), key=len, reverse=True)
_ANY = re.compile("|".join(map(_pattern, _LONGEST_FIRST)), re.IGNORECASE)


# One word of each phrase, the longest: a text without all of these has no banned phrase, which is quicker to see.
_SIGNS = frozenset(max(re.findall(r"\w+", phrase.lower()), key=len) for phrase in _WRITE)


def banned(text: str) -> Iterator[Banned]:
    """Every banned phrase of a text, in order; the longest where several begin at one place."""
    if _SIGNS.isdisjoint(re.findall(r"\w+", text.lower())):
        return
    for found in _ANY.finditer(CODE.sub(lambda code: re.sub(r"\S", FILLER, code[0]), text)):
        phrase = " ".join(found[0].split())
        yield Banned(found.start(), phrase, _WRITE[phrase.lower()])


def table() -> str:
    """The table of `docs/glossary.md`."""
    lines = ["| write | not | example |", "| --- | --- | --- |"]
    lines += [f"| {row.write} | {', '.join(row.instead_of)} | {row.example} |" for row in ROWS]
    return "\n".join(lines)
