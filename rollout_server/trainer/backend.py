"""What samples: the interface of all backends, and the built-in one, which needs no model.

A backend gets the prompt and gives a message with its tokens. It keeps no state, so that a retry cannot change anything.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from rollout_conformance.rollout_server.common import calculator_policy
from rollout_conformance.rollout_server.common.chat_tokenizer import ChatTokens, Messages, Tools
from rollout_conformance.rollout_server.trainer import prompt
from rollout_conformance.rollout_server.trainer.prompt import Prompt

DEFAULT_MAX_TOKENS = 512


@dataclass(frozen=True, slots=True)
class Task:
    """One generation to be made. `sampling` is the body of the generation call; `turn` counts from 0."""

    rollout_id: str
    turn: int
    messages: Messages
    tools: Tools
    prompt: Prompt
    sampling: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Generated:
    """`message` as it is returned; `text` what `token_ids` stand for; one logprob for each of `token_ids`."""

    message: dict[str, Any]
    finish_reason: str
    prompt_token_ids: tuple[int, ...]
    token_ids: tuple[int, ...]
    logprobs: tuple[float, ...]
    text: str


class Backend(Protocol):
    async def generate(self, task: Task) -> Generated:
        """Raises `RefusedError` 502, 503 or 504 when there is nothing that was really sampled."""
        ...


class BuiltIn:
    """Calculates with the tools that are declared. Equal conversations get equal replies; it stops by itself, so `stop` never matters."""

    def __init__(self, tokens: ChatTokens) -> None:
        self._tokens = tokens

    async def generate(self, task: Task) -> Generated:
        message = calculator_policy.reply(
            task.messages, task.tools, call_id=f"call_{digest(task.rollout_id)}_{task.turn}"
        )
        text = prompt.sampled_text(self._tokens, task.messages, message, task.tools)
        ids = self._tokens.encode(text)
        finish = "tool_calls" if "tool_calls" in message else "stop"
        most = int(task.sampling.get("max_tokens", DEFAULT_MAX_TOKENS))
        if len(ids) > most:
            ids, finish = ids[:most], "length"
            text = self._tokens.decode(ids)
            message = {"role": "assistant", "content": self._tokens.decode(ids, special=False)}
        logprobs = tuple(logprob(task.turn, n, token) for n, token in enumerate(ids))
        return Generated(message, finish, task.prompt.token_ids, tuple(ids), logprobs, text)


def digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:12]


def logprob(turn: int, position: int, token: int) -> float:
    """A number between -1 and 0 that shows where it belongs, so that a shift by one token can be seen."""
    mixed = hashlib.sha256(f"{turn}:{position}:{token}".encode()).digest()
    return -(1 + int.from_bytes(mixed[:2])) / 65537
