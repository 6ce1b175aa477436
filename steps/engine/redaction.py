"""Secrets out of everything that is printed or written. Keys of the suite's own making are recognised by their form."""

import re
from collections.abc import Iterator, Sequence

MASK = "***"
OWN_KEYS = re.compile(r"tk-rc-[0-9a-f]{8}-\d+x?-[\w#]*")
BEARER = re.compile(r"(?i)(bearer\s+)[^\s\"',}\\]+")
MEMBERS = re.compile(r'("(?:\w*api_key|authorization)"\s*:\s*)"(?:[^"\\]|\\.)*"')

_given: set[str] = set()


def remember(secret: str | None) -> None:
    """A key that a user gave; from now on it is masked wherever it occurs."""
    if secret and len(secret) >= 4:
        _given.add(secret)


def redacted(text: str) -> str:
    """The text with every known or recognisable secret masked. Field names like max_tokens stay: they are no secrets."""
    for secret in sorted(_given, key=len, reverse=True):  # one may begin another
        text = text.replace(secret, MASK)
    text = MEMBERS.sub(rf'\1"{MASK}"', OWN_KEYS.sub(MASK, text))
    return BEARER.sub(rf"\g<1>{MASK}", text)


# Forms that secrets of well-known services have, and members that hold secrets whatever their form.
FORMS = re.compile(
    r"\b(?:sk|pk|rk)-[\w-]{16,}|\bhf_\w{16,}|\bgh[pousr]_\w{20,}|\bxox[a-z]-[\w-]{10,}|\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"
    r"|\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*|-----BEGIN [A-Z ]*PRIVATE KEY-----[^-]*(?:-----END [A-Z ]*PRIVATE KEY-----)?"
)
USER_IN_URL = re.compile(r"(://)[^/\s@:]+:[^/\s@]+@")
SECRET_MEMBERS = re.compile(
    r"(?i)(?:^|[_-])(?:api[_-]?key|password|passwd|secret|authorization|cookie|credentials?|private[_-]?key"
    r"|(?:access|auth|refresh|bearer|session|id)[_-]?token)$"
)


# `password: hunter2hunter2`, `API_KEY=...` within a text.
NAMED = re.compile(
    r"""(?i)\b((?:[\w-]{0,40}[_-])?(?:pass(?:word|wd|phrase)|api[_-]?key|secret|(?:access|auth|refresh|session)[_-]?token)["'\\]{0,2}"""
    r"""\s{0,4}[:=]\s{0,4}["'\\]{0,2})([^\s"'\\,;<>{}()\[\]]{6,200})"""
)
SHORTEST = 8  # characters of a value that is a secret wherever else it occurs; a shorter one is a word as well


def secrets_in(value: object) -> Iterator[str]:
    """The values of members that hold secrets."""
    if isinstance(value, dict):
        for name, one in value.items():
            if isinstance(one, str) and len(one) >= SHORTEST and SECRET_MEMBERS.search(name):
                yield one
            yield from secrets_in(one)
    elif isinstance(value, list):
        for one in value:
            yield from secrets_in(one)


def scrubbed(value: object) -> object:
    """A JSON value for a file that people share: what has the form of a secret, or stands where one stands, is masked in it, and so
    is the value of such a member wherever else it occurs in it."""
    elsewhere = sorted(set(secrets_in(value)), key=len, reverse=True)
    return _scrubbed(value, elsewhere)


def _scrubbed(value: object, known: Sequence[str]) -> object:
    if isinstance(value, str):
        text = redacted(value)
        for one in known:
            text = text.replace(one, MASK)
        return NAMED.sub(rf"\g<1>{MASK}", USER_IN_URL.sub(rf"\1{MASK}@", FORMS.sub(MASK, text)))
    if isinstance(value, dict):
        return {
            name: MASK if isinstance(one, str) and SECRET_MEMBERS.search(name) else _scrubbed(one, known)
            for name, one in value.items()
        }
    return [_scrubbed(one, known) for one in value] if isinstance(value, list) else value
