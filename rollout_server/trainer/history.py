"""Whether a conversation extends another one. Values are compared; member order and JSON whitespace are ignored."""

from collections.abc import Mapping, Sequence
from typing import Any

from rollout_conformance.rollout_server.common import json_text
from rollout_conformance.rollout_server.trainer import errors

Message = Mapping[str, Any]


def check(stored: Sequence[Message], messages: Sequence[Message], *, turns: int) -> None:
    """Raises `ApiError` 409 unless `messages` begin with `stored` and, after the first turn, continue it."""
    for index, known in enumerate(stored):
        if index >= len(messages):
            raise errors.history(index, "is missing; a conversation must only grow")
        if normalized(messages[index]) != normalized(known):
            raise errors.history(index, "differs from the message of the previous request")
    if turns and len(messages) == len(stored):
        raise errors.history(len(stored), "no message follows the last reply")


def extends(stored: Sequence[Message], messages: Sequence[Message]) -> bool:
    """Whether a conversation continues a stored one that ends with a reply."""
    pairs = zip(stored, messages, strict=False)
    return len(messages) > len(stored) and all(normalized(known) == normalized(one) for known, one in pairs)


def normalized(message: Message) -> bytes:
    """Equal for equivalent messages: null means absent, and so does an empty `tool_calls`. Strings must be equal byte for byte."""
    present = {name: value for name, value in message.items() if value is not None}
    if not present.get("tool_calls"):
        present.pop("tool_calls", None)
    else:  # the one member that has a default
        present["tool_calls"] = [{"type": "function", **call} for call in present["tool_calls"]]
    return json_text.canonical(present)
