"""What the trainer issued: every token id, logprob and message, so that a deviation is proof and not statistics."""

import itertools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from rollout_conformance.steps.engine.lenient_json import JSON
from rollout_conformance.steps.peers.script import AnyCall, Call, HangingCall, Reply
from rollout_conformance.steps.peers.tokens import END_OF_TURN, Tokens

_counter = itertools.count(1)
OPENING = ({"role": "user", "content": "?"},)


@dataclass(frozen=True, slots=True)
class Issued:
    """One generation as the trainer made it. `lost` generations never reached the server whole;
    the reply around a `tampered` one was changed by the script, so that what has to follow is for the case to say.

    prompt_ids, token_ids: token ids; logprobs: one negative float a token, no two alike in a run.
    """

    exchange: int
    prompt_ids: tuple[int, ...]
    token_ids: tuple[int, ...]
    logprobs: tuple[float, ...]
    message: Mapping[str, Any]
    finish_reason: str
    canonical: bool
    end_token: bool
    lost: bool
    tampered: bool

    @property
    def calls(self) -> list[JSON]:
        calls = self.message.get("tool_calls")
        return calls if isinstance(calls, list) else []


def assistant_message(reply: Reply, turn: int, nonce: str) -> dict[str, object]:
    """The assistant message of a reply, with ids made up where the script names none."""
    message: dict[str, object] = {"role": "assistant", "content": "7" * reply.digits or reply.text}
    if reply.reasoning is not None:
        message["reasoning_content"] = reply.reasoning
    calls = [_call(call, f"call_{nonce}_{turn}_{n}") for n, call in enumerate(reply.calls)]
    if calls:
        message["tool_calls"] = calls
    return message | dict(reply.message)


def _call(call: Call | AnyCall | HangingCall, made_up: str) -> dict[str, object]:
    if not isinstance(call, Call):
        raise TypeError("a call of any tool must be resolved to a tool of the card before it is played")
    arguments = call.arguments if isinstance(call.arguments, str) else dict(call.arguments)
    return {
        "id": made_up if call.id is None else call.id,
        "type": "function",
        "function": {"name": call.name, "arguments": arguments},
    }


def completion_text(
    tokens: Tokens,
    messages: Sequence[object],
    message: Mapping[str, object],
    tools: Sequence[object] | None,
    prompt: str | None = None,
) -> str:
    """The text that the model must have sampled for `message` to follow `messages`, the end-of-turn token included. `prompt` is the
    rendering of `messages`, where it is known."""
    prompt = tokens.render(messages, tools) if prompt is None else prompt
    whole = tokens.render([*messages, message], tools, generation=False)
    if not whole.startswith(prompt):
        # The template rewrites history as it grows; only the plain text of the turn can be said to be sampled.
        return str(message.get("content") or "") + END_OF_TURN
    turn = whole[len(prompt) :]
    head, end, _ = turn.rpartition(END_OF_TURN)
    return head + end if end else turn


@lru_cache(maxsize=1024)
def _sampled_text(tokens: Tokens, message: str, tools: str) -> str:
    """The text of a message, given as JSON like the tools. Most rollouts end with the same words, which are rendered once."""
    values, after = json.loads(tools), _opening(tokens, tools)
    return completion_text(tokens, OPENING, json.loads(message), values, after)


@lru_cache(maxsize=64)
def _opening(tokens: Tokens, tools: str) -> str:
    """Each generation is sampled after the same prompt; it is rendered once for each list of tools."""
    return tokens.render(OPENING, json.loads(tools))


def sample(
    tokens: Tokens, reply: Reply, message: Mapping[str, object], tools: Sequence[object] | None
) -> tuple[tuple[int, ...], tuple[float, ...]]:
    """Token ids and logprobs of one generation. What a turn samples does not depend on the turns before it."""
    text = _sampled_text(tokens, json.dumps(message), json.dumps(tools))
    ids = tokens.odd_encoding(text, seed=len(text)) if reply.odd else tokens.encode(text)
    if not reply.end_token and ids and ids[-1] == tokens.end_of_turn:
        ids = ids[:-1]
    return tuple(ids), tuple(-next(_counter) / 65536 for _ in ids)


def sampled_by(tokens: Tokens, replies: Sequence[object], tools: Sequence[object] | None) -> int:
    """How many tokens these replies will be together."""
    messages = [(reply, assistant_message(reply, 0, "x")) for reply in replies if isinstance(reply, Reply)]
    return sum(len(sample(tokens, reply, message, tools)[0]) for reply, message in messages)
