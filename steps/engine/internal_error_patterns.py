"""What no error may show of the inside of the system that answers it: the one definition of such text, for all profiles.

Text of a target is of any size and any form, and FastAPI's stock 422 repeats a whole request. So everything here is linear in time: a
sign has a word that is in each of its matches, so that most text is searched for plain words only; a pattern begins where no earlier
match could have begun (a look behind, a border of words) and repeats a bounded number of times. And what the caller itself sent is no
leak: a server that quotes a request shows nothing of itself.
"""

import re
from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

from rollout_conformance.steps.engine.trace import Request

MOST_LOOKED_UP = (
    16  # different matches of one text that are looked for in what was sent, each of which reads all of that
)
AROUND = 80  # characters before and behind a finding that are shown with it
ESCAPES = (("\\n", "\n"), ("\\t", "\t"), ('\\"', '"'), ("\\/", "/"), ("\\\\", "\\"))


@dataclass(frozen=True, slots=True)
class Sign:
    """A form of text that only the inside of a program has. `word` is in every match of `pattern`."""

    word: str
    pattern: re.Pattern[str]


Signs = tuple[Sign, ...]


def _sign(word: str, pattern: str = "") -> Sign:
    return Sign(word, re.compile(pattern or re.escape(word), re.ASCII))


_PLACES: Signs = (
    _sign("Traceback (most recent"),
    _sign('File "', r'File "[^"\n]{1,300}", line \d'),
    _sign("/site-packages/"),
    _sign(".py", r"(?<![\w./:-])/[\w./-]{1,200}\.py\b"),  # from the root of a file system; no part of a URL
    _sign("<class '"),
    _sign("object at 0x"),
)
_DUMPS: Signs = (
    _sign("validation error", r"\b\d{1,6} validation errors? for [\w.\[\],-]{1,100}\n"),
    _sign("For further information visit https://errors.pydantic.dev"),
)
"""A ValidationError of pydantic as Python prints it, with the name of its class. The same as JSON has a member `url` with that address, which
is a public page and shows nothing of the server."""

GENERAL: Signs = (*_PLACES, *_DUMPS)
"""Stack traces, paths of source files, names of classes."""

SOURCE: Signs = (
    *_PLACES,
    _sign(".py:", r"\b\w{1,100}\.py:\d"),
    _sign("<locals>"),
    _sign("<lambda>"),
    _sign("argument after *", r"argument after \*\*? must be"),
    _sign("() ", r"\b[A-Za-z_]\w{0,60}\.\w{1,60}\(\) (?:takes|missing|got an unexpected|argument after)\b"),
)
"""What shows source code itself. The name of an exception does not, nor does the name of a tool."""

PRINTED = (
    *("Assertion", "Attribute", "Index", "Key", "Name", "Recursion", "Runtime", "Type", "Value", "ZeroDivision"),
    *("JSONDecode", "UnicodeDecode", "UnicodeEncode", "ConnectionRefused", "ConnectionReset", "BrokenPipe"),
    *("ClientConnector", "ClientPayload", "ServerDisconnected", "RemoteProtocol", "MaxRetry", "NewConnection"),
)
"""Exceptions of Python, and of its libraries for HTTP, without the end of their names."""

STRICT: Signs = (
    *SOURCE,
    *_DUMPS,
    *(
        _sign(f"{name}.", rf"(?<![\w./-]){re.escape(name)}\.[A-Za-z_]")
        for name in ("pydantic", "pydantic_core", "httpx", "httpcore", "aiohttp", "urllib", "urllib3")
    ),
    _sign("requests.exceptions"),
    _sign("input_value=", r"\[type=\w{1,60}, input_value="),
    _sign("Error", rf"\b(?:{'|'.join(PRINTED)})Error(?:[:(\"']|\Z)"),  # as Python prints one, not as a word of prose
    _sign("[Errno ", r"\[Errno -?\d"),
    _sign("Cannot connect to host ", r"Cannot connect to host \S{1,300} ssl:"),
    _sign("list index out of range"),
    _sign("has no attribute '"),
    _sign("positional argument", r"\brequired positional argument|\bpositional arguments? but \d"),
    _sign("unexpected keyword argument '"),
    _sign("'NoneType'"),
    _sign(
        "__", r"\b__(?:init|main|call|class|dict|name|module|file|doc|new|enter|exit|aenter|aexit|getattr|getitem)__\b"
    ),
)
"""Also the names of libraries, and the texts of exceptions."""


class Sent:
    """What a caller sent, as one text that is put together when a sign is first looked for in it."""

    def __init__(self, parts: Iterable[bytes]) -> None:
        self._parts = parts

    @cached_property
    def text(self) -> str:
        return plain(b"\n".join(self._parts).decode("utf-8", "replace"))

    def __contains__(self, found: object) -> bool:
        return isinstance(found, str) and found in self.text


def of_request(request: Request) -> Iterator[bytes]:
    """All that a request says: its path, the values of its headers, its body."""
    yield request.path.encode("utf-8", "replace")
    yield from (value.encode("utf-8", "replace") for _, value in request.headers)
    yield request.body


def leaked(text: str, signs: Signs, sent: Container[str] = ()) -> str | None:
    """The first sign of an inside in a text that is not in what was sent, None where there is none."""
    looked_up: set[str] = set()
    for found in _matches(plain(text), signs):
        if found in looked_up:
            continue
        if found not in sent:
            return found
        looked_up.add(found)
        if len(looked_up) == MOST_LOOKED_UP:
            return None  # a request that is full of such texts, quoted: nothing can be said of it
    return None


def _matches(text: str, signs: Signs) -> Iterator[str]:
    return (found.group() for sign in signs if sign.word in text for found in sign.pattern.finditer(text))


def excerpt(text: str, found: str) -> str:
    """What was found, with the text around it."""
    text = plain(text)
    at = max(0, text.find(found))
    return f"{found!r} in {text[max(0, at - AROUND) : at + len(found) + AROUND]!r}"


def plain(text: str) -> str:
    """A text without the escapes that JSON and Python put into it: what is quoted is compared, however it is written."""
    for escaped, sign in ESCAPES:
        text = text.replace(escaped, sign)
    return text
