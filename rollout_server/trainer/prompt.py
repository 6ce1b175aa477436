"""The prompt of the next turn. It goes on from the ids of the trajectory, and never encodes again what was sampled.

When the chat template renders the past in another way than it was sampled (it drops reasoning, or writes tool calls anew) there is no
going on: the prompt is what the template says, and the trajectory records the drift.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from rollout_conformance.rollout_server.common.chat_tokenizer import ChatTokens, Messages, Tools
from rollout_conformance.rollout_server.trainer.errors import RefusedError
from rollout_conformance.rollout_server.trainer.trajectory import Trajectory

PLACEHOLDER = "\N{REFERENCE MARK}reply\N{REFERENCE MARK}"


@dataclass(frozen=True, slots=True)
class Prompt:
    """`token_ids` of the whole prompt for `text`; `inserted` are those behind the last sampled token. `follows` says whether the text
    goes on from the trajectory."""

    text: str
    token_ids: tuple[int, ...]
    inserted: tuple[int, ...]
    follows: bool


def build(tokens: ChatTokens, past: Trajectory, known: Messages, messages: Messages, tools: Tools) -> Prompt:
    """`known` is the conversation up to the last reply, `messages` the whole one. Raises `RefusedError` 422."""
    text = tokens.render(messages, tools)
    if text.startswith(past.text):
        inserted = tuple(tokens.encode(text[len(past.text) :]))
        return Prompt(text, past.token_ids + inserted, inserted, follows=True)
    inserted = tuple(spliced(tokens, past, known, messages, tools))
    return Prompt(text, tuple(tokens.encode(text)), inserted, follows=False)


def spliced(tokens: ChatTokens, past: Trajectory, known: Messages, messages: Messages, tools: Tools) -> list[int]:
    """Ids of the text behind the last reply, which does not depend on what that reply says."""
    *before, _ = known
    with_reply = [*before, {"role": "assistant", "content": PLACEHOLDER}]
    try:
        text = tokens.render([*with_reply, *messages[len(known) :]], tools)
    except RefusedError:  # a template may insist on calls before results
        return []
    ids = tokens.encode(text[text.rfind(PLACEHOLDER) + len(PLACEHOLDER) :])
    return ids[1:] if ids[:1] == list(past.token_ids[-1:]) else ids


def insertions(tokens: ChatTokens, past: Trajectory, prompt: Prompt, known: Messages, tools: Tools) -> Iterator[int]:
    """Every right length of a response mask. Two readings exist of what was inserted: the text behind the reply, and the growth of the
    rendered prompt less what was sampled. They differ when the sampled ids are not the canonical encoding of their text."""
    yield len(prompt.inserted)
    now, then = len(tokens.encode(prompt.text)), len(tokens.encode(tokens.render(list(known)[:-1], tools)))
    yield now - then - len(past.turns[-1].token_ids)


def sampled_text(tokens: ChatTokens, messages: Messages, reply: dict[str, Any], tools: Tools) -> str:
    """The text that a policy must have sampled for `reply` to follow `messages`, the end of the turn included."""
    opening = tokens.render(messages, tools)
    whole = tokens.render([*messages, reply], tools, generation=False)
    if not whole.startswith(opening):  # the template rewrites the past as it grows
        return str(reply.get("content") or "") + tokens.end_of_turn
    turn = whole[len(opening) :]
    end = turn.rfind(tokens.end_of_turn) if tokens.end_of_turn else -1
    return turn if end < 0 else turn[: end + len(tokens.end_of_turn)]
