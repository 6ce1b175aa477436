"""Backends generate: their interface, and the built-in one, which needs no model.

A backend gets the prompt and returns a message with its tokens. It keeps no state, so that a retry changes nothing.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from rollout_conformance.rollout_server.common import calculator_policy, chat_tokenizer
from rollout_conformance.rollout_server.common.chat_tokenizer import ChatTokenizer, Messages, Tools
from rollout_conformance.rollout_server.trainer import errors
from rollout_conformance.rollout_server.trainer.prompt import Prompt

DEFAULT_MAX_TOKENS = 512


@dataclass(frozen=True, slots=True)
class GenerationTask:
    """One generation to be made. `sampling` is the body of the generation request; `turn` counts from 0."""

    rollout_id: str
    turn: int
    messages: Messages
    tools: Tools
    prompt: Prompt
    sampling: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Generation:
    """`message` as it is returned; `text` the text of `token_ids`; one logprob for each of `token_ids`."""

    message: dict[str, Any]
    finish_reason: str
    prompt_token_ids: tuple[int, ...]
    token_ids: tuple[int, ...]
    logprobs: tuple[float, ...]
    text: str


class Backend(Protocol):
    async def generate(self, task: GenerationTask) -> Generation:
        """Raises `ApiError` 502, 503 or 504 when nothing was sampled."""
        ...


class BuiltInBackend:
    """Calculates with the declared tools. Deterministic."""

    def __init__(self, tokens: ChatTokenizer, context_tokens: int) -> None:
        self._tokens = tokens
        self._context_tokens = context_tokens

    async def generate(self, task: GenerationTask) -> Generation:
        """Raises `ApiError` 400 for a prompt that leaves no room for a generation."""
        room = self._context_tokens - len(task.prompt.token_ids)
        if room < 1:
            raise errors.context(len(task.prompt.token_ids), self._context_tokens)
        message = calculator_policy.reply(
            task.messages, task.tools, call_id=f"call_{digest(task.rollout_id)}_{task.turn}"
        )
        text = chat_tokenizer.sampled_text(self._tokens, task.messages, message, task.tools)
        ids = self._tokens.encode(text)
        finish = "tool_calls" if "tool_calls" in message else "stop"
        most = min(room, int(task.sampling.get("max_tokens", DEFAULT_MAX_TOKENS)))
        if len(ids) > most:
            ids, finish = ids[:most], "length"
            text = self._tokens.decode(ids)
            message = {"role": "assistant", "content": self._tokens.decode(ids, special=False)}
        ending = before_stop(text, task.sampling.get("stop"))
        if ending is not None:
            text, finish, message = ending, "stop", {"role": "assistant", "content": ending}
            ids = self._tokens.encode(text)
        logprobs = tuple(logprob(task.turn, n, token) for n, token in enumerate(ids))
        return Generation(message, finish, task.prompt.token_ids, tuple(ids), logprobs, text)


def before_stop(text: str, stop: str | Sequence[str] | None) -> str | None:
    """What stands before the first of the stop texts, None where there is none of them."""
    wanted = [stop] if isinstance(stop, str) else stop or ()
    places = [place for one in wanted if one and (place := text.find(one)) >= 0]
    return text[: min(places)] if places else None


def digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:12]


def logprob(turn: int, position: int, token: int) -> float:
    """A number between -1 and 0 that depends on the position, so that a shift by one token is visible."""
    mixed = hashlib.sha256(f"{turn}:{position}:{token}".encode()).digest()
    return -(1 + int.from_bytes(mixed[:2])) / 65537
