"""The API key that a request is sent with: the right one, one that is wrong in some way, or another one of the card."""

from typing import Any

WRONG_KEY = "rc-no-such-key"
NOT_ASCII = "schl\u00fcssel"


def key_header(context: Any, kind: str) -> dict[str, str]:
    """The header of a key. `kind` is what is wrong with it, or its name on the card; `x_right` is the right one in the header X-API-Key."""
    key: str | None = context.card.keys.get(kind, context.target_key)
    if kind == "none" or key is None:
        return {}
    if kind == "x_right":
        return {"x-api-key": key}
    wrong = {"wrong": WRONG_KEY, "latin": NOT_ASCII, "small": key.swapcase(), "longer": f"{key}x"}
    return {"authorization": f"Bearer {wrong.get(kind, key)}"}
