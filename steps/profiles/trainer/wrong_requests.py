"""Generation requests with one thing wrong: the response mask, or the history."""

import copy
from typing import Any, Literal

Mask = Literal[
    "missing", "null", "short", "long", "value_two", "value_minus_one", "value_text", "value_fraction", "correct"
]
History = Literal[
    "prompt_changed",
    "prompt_reordered",
    "truncated",
    "rolled_back",
    "generations_removed",
    "generation_changed",
    "arguments_changed",
    "correct",
]


def response_mask(which: Mask, lengths: tuple[int, ...]) -> Any:
    """`lengths` are those that a correct mask may have, as the contract counts them first; none before the first generation."""
    mask = [0] * lengths[0] if lengths and lengths[0] > 0 else None
    zeros = mask or [0]
    masks: dict[str, Any] = {
        "correct": mask,
        "null": None,
        "short": [0] * (min(lengths, default=1) - 1) or None,
        "long": [0] * (max(lengths, default=1) + 1),
        "value_two": [2, *zeros[1:]],
        "value_minus_one": [-1, *zeros[1:]],
        "value_text": ["0", *zeros[1:]],
        "value_fraction": [0.5, *zeros[1:]],
    }
    return masks[which]


def history(correct: list[Any], which: History) -> list[Any]:
    """The messages of a generation request. A history of fewer than two messages stays unchanged: no start request was accepted."""
    messages = copy.deepcopy(correct)
    if len(messages) < 2:
        return messages
    if which == "prompt_changed":
        messages[1]["content"] = "Please calculate 1 plus 1."
    elif which == "prompt_reordered":
        messages[0], messages[1] = messages[1], messages[0]
    elif which == "truncated":
        messages = messages[:1]
    elif which == "rolled_back":
        ends = [n for n, message in enumerate(messages) if message.get("role") == "assistant"]
        messages = messages[: ends[0] + 1] if ends else messages
    elif which == "generations_removed":
        messages = [message for message in messages if message.get("role") != "assistant"]
    elif which == "generation_changed":
        for message in messages:
            if message.get("role") == "assistant":
                message["content"] = "Something else."
    elif which == "arguments_changed":
        for message in messages:
            for call in message.get("tool_calls") or ():
                call["function"]["arguments"] = str(call["function"]["arguments"]).replace("}", " }")
    return messages
