"""The prompt of the next turn. It continues the ids of the trajectory, and never encodes sampled tokens again.

When the chat template renders earlier turns differently from what was sampled (it drops reasoning, or serializes tool
calls again) the prompt is what the template renders, and the trajectory records the drift.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from rollout_conformance.rollout_server.common.chat_tokenizer import ChatTokenizer, Messages, Tools
from rollout_conformance.rollout_server.common.errors import ApiError
from rollout_conformance.rollout_server.trainer.trajectory import Trajectory

PLACEHOLDER = "\N{REFERENCE MARK}reply\N{REFERENCE MARK}"


@dataclass(frozen=True, slots=True)
class Prompt:
    """`token_ids` of the whole prompt `text`; `inserted` are those after the last sampled token. `follows`: the text
    continues the trajectory."""

    text: str
    token_ids: tuple[int, ...]
    inserted: tuple[int, ...]
    follows: bool


def build(tokens: ChatTokenizer, past: Trajectory, known: Messages, messages: Messages, tools: Tools) -> Prompt:
    """`known` is the conversation up to the last reply, `messages` the whole one. Raises `ApiError` 422."""
    text = tokens.render(messages, tools)
    if text.startswith(past.text):
        inserted = tuple(tokens.encode(text[len(past.text) :]))
        return Prompt(text, past.token_ids + inserted, inserted, follows=True)
    inserted = tuple(inserted_ids(tokens, past, known, messages, tools))
    return Prompt(text, tuple(tokens.encode(text)), inserted, follows=False)


def inserted_ids(
    tokens: ChatTokenizer, past: Trajectory, known: Messages, messages: Messages, tools: Tools
) -> list[int]:
    """Ids of the text after the last reply, which does not depend on the content of that reply."""
    *before, _ = known
    with_reply = [*before, {"role": "assistant", "content": PLACEHOLDER}]
    try:
        text = tokens.render([*with_reply, *messages[len(known) :]], tools)
    except ApiError:  # a template may require calls before results
        return []
    ids = tokens.encode(text[text.rfind(PLACEHOLDER) + len(PLACEHOLDER) :])
    return ids[1:] if ids[:1] == list(past.token_ids[-1:]) else ids


def insertions(tokens: ChatTokenizer, past: Trajectory, prompt: Prompt, known: Messages, tools: Tools) -> Iterator[int]:
    """Every correct length of a response mask. Two definitions of the inserted tokens exist: the text after the reply, and the
    growth of the rendered prompt minus the sampled tokens. They differ when the sampled ids are not canonical."""
    yield len(prompt.inserted)
    now, then = len(tokens.encode(prompt.text)), len(tokens.encode(tokens.render(list(known)[:-1], tools)))
    yield now - then - len(past.turns[-1].token_ids)
