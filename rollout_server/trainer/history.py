"""Whether a conversation extends another one. It compares values; the order of members and the spacing of JSON do not count."""

from collections.abc import Mapping, Sequence
from typing import Any

from rollout_conformance.rollout_server.common import json_text
from rollout_conformance.rollout_server.trainer import errors

Message = Mapping[str, Any]


def check(stored: Sequence[Message], messages: Sequence[Message], *, turns: int) -> None:
    """Raises `RefusedError` 409 unless `messages` begin with `stored` and, after the first turn, go on behind it."""
    for index, known in enumerate(stored):
        if index >= len(messages):
            raise errors.history(index, "is missing; a conversation only grows")
        if normal(messages[index]) != normal(known):
            raise errors.history(index, "is not the message that it was before")
    if turns and len(messages) == len(stored):
        raise errors.history(len(stored), "nothing follows the last reply")


def normal(message: Message) -> bytes:
    """Equal for messages that say the same: null means absent, no tool calls mean none. Texts count to the letter."""
    present = {name: value for name, value in message.items() if value is not None}
    if not present.get("tool_calls"):
        present.pop("tool_calls", None)
    else:  # the one member that has a default
        present["tool_calls"] = [{"type": "function", **call} for call in present["tool_calls"]]
    return json_text.canonical(present)
