"""Secrets out of everything that is printed or written. Keys of the suite's own making are recognised by their form."""

import re

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
