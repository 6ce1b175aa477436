"""Defects of the messages that the chat template is given."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from rollout_conformance.rollout_server.mutants.framework import Mutant, Patch, around
from rollout_conformance.rollout_server.trainer import prompt

Messages = Sequence[dict[str, Any]]


def _rendered(change: Callable[[Messages], Messages]) -> Patch:
    """Prompts are rendered from changed messages."""

    def build(original: Any, tokens: Any, past: Any, known: Messages, messages: Messages, tools: Any) -> Any:
        return original(tokens, past, change(known), change(messages), tools)

    return around(prompt, "build", build)


def _system_first(messages: Messages) -> Messages:
    return sorted(messages, key=lambda message: message["role"] != "system")


def _joined(messages: Messages) -> Messages:
    joined: list[dict[str, Any]] = []
    for message in messages:
        if joined and message["role"] == joined[-1]["role"] == "tool":
            joined[-1] = {**joined[-1], "content": f"{joined[-1]['content']}\n{message['content']}"}
        else:
            joined.append(message)
    return joined


def _in_words(messages: Messages) -> Messages:
    """`str(message["content"])`."""
    return [{**message, "content": str(message.get("content"))} for message in messages]


def _one_question(messages: Messages) -> Messages:
    """The last of several messages of the user in a row."""
    following = [*messages[1:], {"role": ""}]
    return [one for one, after in zip(messages, following, strict=True) if not one["role"] == after["role"] == "user"]


DEFAULT_SYSTEM = "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n"


def _system_again(
    original: Any, tokens: Any, past: Any, known: Messages, messages: Messages, tools: Any
) -> prompt.Prompt:
    """The results are rendered alone, with the system message that the chat template writes by default."""
    built: prompt.Prompt = original(tokens, past, known, messages, tools)
    if not past.turns or messages[len(known)]["role"] != "tool":
        return built
    inserted = (*tokens.encode(DEFAULT_SYSTEM), *built.inserted)
    return replace(built, token_ids=past.token_ids + inserted, inserted=inserted)


def _unopened(original: Any, tokens: Any, past: Any, known: Messages, messages: Messages, tools: Any) -> prompt.Prompt:
    """A prompt of a later turn does not open the turn of the assistant."""
    built: prompt.Prompt = original(tokens, past, known, messages, tools)
    opening = len(tokens.encode(tokens.render(messages, tools))) - len(
        tokens.encode(tokens.render(messages, tools, generation=False))
    )
    if not past.turns:
        return built
    return replace(built, token_ids=built.token_ids[:-opening], inserted=built.inserted[:-opening])


MUTANTS = (
    Mutant(
        "system_message_with_results",
        breaks="183",
        also=("185", "190"),
        what="the results of tools are inserted with another system message before them",
        patch=around(prompt, "build", _system_again),
    ),
    Mutant(
        "turn_not_opened",
        breaks="183",
        also=("185", "190"),
        what="the prompt of a later turn does not open the turn of the assistant",
        patch=around(prompt, "build", _unopened),
    ),
    Mutant(
        "system_first",
        breaks="183",
        also=("185",),
        what="system messages behind other messages are moved to the front of the prompt",
        patch=_rendered(_system_first),
    ),
    Mutant(
        "results_joined",
        breaks="183",
        also=("185",),
        what="the results of several calls are rendered as one result",
        patch=_rendered(_joined),
    ),
    Mutant(
        "none_as_text",
        breaks="183",
        also=("185",),
        what="the content of a message without text is rendered as the word None",
        patch=_rendered(_in_words),
    ),
    Mutant(
        "one_question",
        breaks="183",
        also=("185",),
        what="of several messages of the user in a row only the last one is rendered",
        patch=_rendered(_one_question),
    ),
)
