"""The API key that a request is sent with: the right one, one that is wrong in some way, or another one of the card."""

from collections.abc import Iterable, Mapping
from typing import Protocol, runtime_checkable

from rollout_conformance.steps.engine.findings import SuiteError

WRONG_KEY = "rc-no-such-key"
NOT_ASCII = "schl\u00fcssel"
SHORTEST_SECRET = 8  # a shorter key occurs in ordinary text
LONGEST_WORD = 16  # letters of a word of ordinary text


class CardWithKeys(Protocol):
    @property
    def keys(self) -> Mapping[str, str]: ...


@runtime_checkable
class KeyContext(Protocol):
    """What a request with a key needs of the context of a case: `card` with its `keys`, and `target_key`, the right one."""

    @property
    def card(self) -> CardWithKeys: ...
    @property
    def target_key(self) -> str | None: ...


def bearer(key: str | None) -> dict[str, str]:
    """The header of a key as RFC 6750 has it; none without a key."""
    return {"authorization": f"Bearer {key}"} if key else {}


def recognisable(keys: Iterable[str | None]) -> list[str]:
    """The keys that prove a leak wherever they occur. One that is short, or a single word such as `anything`, occurs in ordinary text."""
    return [key for key in keys if key and len(key) >= (LONGEST_WORD if key.isalpha() else SHORTEST_SECRET)]


def wrong_keys(key: str) -> dict[str, str]:
    """What is no key, by what is wrong with it. A key without letters is the same in letters of the other case."""
    other_case = key.swapcase() if key.swapcase() != key else WRONG_KEY
    return {"wrong": WRONG_KEY, "latin": NOT_ASCII, "small": other_case, "longer": f"{key}x", "shorter": key[:-1]}


def key_header(context: object, kind: str) -> dict[str, str]:
    """The header of a key. `kind` is what is wrong with it, or its name on the card; `x_right` is the right one in the header X-API-Key."""
    if not isinstance(context, KeyContext):
        raise SuiteError(
            f"the request has a key, and the context of the case ({type(context).__name__}) has no `card` and `target_key`. `context` of the "
            "profile's peers has to return an object with both, as `HttpContext` of steps/http/client_case.py; a profile without `peers` has it."
        )
    key = context.card.keys.get(kind, context.target_key)
    if kind == "none" or key is None:
        return {}
    if kind == "x_right":
        return {"x-api-key": key}
    return bearer(wrong_keys(key).get(kind, key))
