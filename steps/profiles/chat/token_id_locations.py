"""Where in a reply token ids are that do not stand where vLLM puts them: gateways move members that they do not know. Pure."""

from collections.abc import Iterator
from typing import Any

NAMES = ("token_ids", "completion_token_ids", "output_token_ids", "output_ids", "prompt_token_ids")
DEEPEST = 8


def place_of_ids(body: Any) -> str | None:
    """The path of the first list of token ids, such as `choices[0].provider_specific_fields.token_ids`."""
    return next(_places(body, "", DEEPEST), None)


def _places(value: Any, path: str, left: int) -> Iterator[str]:
    if left == 0:
        return
    if isinstance(value, dict):
        for name, inner in value.items():
            here = f"{path}.{name}" if path else str(name)
            if name in NAMES and _is_ids(inner):
                yield here
            yield from _places(inner, here, left - 1)
    elif isinstance(value, list):
        for n, inner in enumerate(value):
            yield from _places(inner, f"{path}[{n}]", left - 1)


def _is_ids(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(type(one) is int for one in value)
