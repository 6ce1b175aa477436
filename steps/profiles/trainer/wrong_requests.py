"""Generation requests with one thing wrong: the response mask, or the history."""

import copy
from collections.abc import Callable, Sequence
from typing import Any, Literal

from rollout_conformance.steps.engine.lenient_json import JSON
from rollout_conformance.steps.peers.tokens import Tokens

Mask = Literal[
    "missing",
    "null",
    "short",
    "long",
    "ones",
    "value_two",
    "value_minus_one",
    "value_text",
    "value_fraction",
    "correct",
]
History = Literal[
    "prompt_changed",
    "prompt_reordered",
    "truncated",
    "rolled_back",
    "forked",
    "generations_removed",
    "generation_changed",
    "arguments_changed",
    "correct",
]


Messages = list[Any]
WORD = " plus"
SOME = 16


def response_mask(which: Mask, lengths: tuple[int, ...]) -> object:
    """`lengths` are those that a correct mask may have, as the contract counts them first; none before the first generation."""
    mask = [0] * lengths[0] if lengths and lengths[0] > 0 else None
    zeros = mask or [0]
    masks: dict[str, object] = {
        "correct": mask,
        "null": None,
        "short": [0] * (min(lengths, default=1) - 1) or None,
        "long": [0] * (max(lengths, default=1) + 1),
        "ones": [1] * len(zeros),
        "value_two": [2, *zeros[1:]],
        "value_minus_one": [-1, *zeros[1:]],
        "value_text": ["0", *zeros[1:]],
        "value_fraction": [0.5, *zeros[1:]],
    }
    return masks[which]


def lengthened(messages: Messages, words: int) -> Messages:
    """The messages with so many words behind the text of the last one."""
    if not words or not messages:
        return messages
    last = messages[-1]
    return [*messages[:-1], {**last, "content": f"{last.get('content') or ''}{WORD * words}"}]


def tokens_per_word(tokens: Tokens) -> int:
    """How many tokens one more `WORD` is: many of them take too long to encode."""
    return (len(tokens.encode(WORD * 2 * SOME)) - len(tokens.encode(WORD * SOME))) // SOME


def history(correct: Sequence[object], which: History) -> list[JSON]:
    """The messages of a generation request. Without any, no start request was accepted, and nothing can be wrong with them."""
    messages = copy.deepcopy(list(correct))
    return CHANGES[which](messages) if messages else []


def _prompt_changed(messages: Messages) -> Messages:
    asked = next((message for message in messages if message.get("role") == "user"), messages[0])
    asked["content"] = f"{asked.get('content') or ''} Then add 1."
    return messages


def _prompt_reordered(messages: Messages) -> Messages:
    return [*messages[1:2], messages[0], *messages[2:]]


def _truncated(messages: Messages) -> Messages:
    """The beginning of the prompt; of a prompt of one message, all but that one: the message alone would be the first request again."""
    one = len(messages) > 1 and messages[1].get("role") == "assistant"
    return messages[1:] if one else messages[:1]


def _rolled_back(messages: Messages) -> Messages:
    ends = [n for n, message in enumerate(messages) if message.get("role") == "assistant"]
    return messages[: ends[0] + 1] if ends else messages


def _forked(messages: Messages) -> Messages:
    """All before the last generation, the last message of it with another text."""
    ends = [n for n, message in enumerate(messages) if message.get("role") == "assistant"]
    kept = messages[: ends[-1]] if ends and ends[-1] else messages
    kept[-1]["content"] = f"{kept[-1].get('content') or ''} Then add 1."
    return kept


def _generations_removed(messages: Messages) -> Messages:
    return [message for message in messages if message.get("role") != "assistant"]


def _generation_changed(messages: Messages) -> Messages:
    for message in messages:
        if message.get("role") == "assistant":
            message["content"] = "Something else."
    return messages


def _arguments_changed(messages: Messages) -> Messages:
    for message in messages:
        for call in message.get("tool_calls") or ():
            call["function"]["arguments"] = str(call["function"]["arguments"]).replace("}", " }")
    return messages


CHANGES: dict[History, Callable[[Messages], Messages]] = {
    "correct": lambda messages: messages,
    "prompt_changed": _prompt_changed,
    "prompt_reordered": _prompt_reordered,
    "truncated": _truncated,
    "rolled_back": _rolled_back,
    "forked": _forked,
    "generations_removed": _generations_removed,
    "generation_changed": _generation_changed,
    "arguments_changed": _arguments_changed,
}
