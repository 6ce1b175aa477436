"""Going on with a stream on another backend: only when no token is lost or repeated, and only when the client asked for it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rollout_conformance.rollout_server.router.usage import count

# What a second backend could not know the state of, or what has no single text to go on with.
PREVENTING = (
    "response_format",
    "structured_outputs",
    "guided_json",
    "guided_regex",
    "guided_choice",
    "guided_grammar",
    "continue_final_message",
    "logprobs",
    "return_token_ids",
    "min_tokens",
)
PLAIN = {"role", "content"}
LIMITS = ("max_tokens", "max_completion_tokens")


class LostError(Exception):
    """The stream cannot be continued without a gap or a repetition."""


def is_wanted(body: Mapping[str, Any]) -> bool:
    if body.get("x_migrate") is not True or "messages" not in body:
        return False
    return body.get("n") in (None, 1) and not any(body.get(name) for name in PREVENTING)


@dataclass(slots=True)
class Progress:
    """What the client has of its answer. `owed` is white space at its end, which the next backend writes once more."""

    text: str = ""
    owed: str = ""
    head: dict[str, Any] | None = None
    possible: bool = True
    prompt_tokens: int = 0
    tokens: int = 0  # of this backend
    before: int = 0  # of those before it
    turns: int = 0

    def saw(self, chunk: Mapping[str, Any]) -> None:
        if self.head is None:
            self.head = {name: chunk[name] for name in ("id", "created", "model") if name in chunk}
        usage = chunk.get("usage")
        if isinstance(usage, Mapping):
            self.tokens = count(usage, "completion_tokens")
            self.prompt_tokens = self.prompt_tokens or count(usage, "prompt_tokens")
        if "error" in chunk:
            self.possible = False
        for choice in chunk.get("choices") or ():
            delta = choice.get("delta") or {}
            self.text += delta.get("content") or ""
            other = any(value for name, value in delta.items() if name not in PLAIN)
            if other or choice.get("finish_reason") or choice.get("index", 0) != 0:
                self.possible = False

    def turn(self) -> None:
        """From here on the chunks are those of another backend."""
        self.before, self.tokens, self.turns = self.before + self.tokens, 0, self.turns + 1
        self.owed = self.text[len(self.text.rstrip()) :]


def body(body: Mapping[str, Any], progress: Progress) -> dict[str, Any]:
    """The request that asks for the rest. Chat templates may trim a message, so its end is sent without white space."""
    said = progress.text.rstrip()
    if not said:
        return dict(body)
    messages = [*body["messages"], {"role": "assistant", "content": said}]
    going_on = {"messages": messages, "continue_final_message": True, "add_generation_prompt": False}
    return {**body, **going_on, **limits(body, progress.before + progress.tokens)}


def limits(body: Mapping[str, Any], done: int) -> dict[str, int]:
    """Raises `LostError` when nothing may follow."""
    left = {name: body[name] - done for name in LIMITS if isinstance(body.get(name), int)}
    if left and (not done or min(left.values()) < 1):
        raise LostError
    return left


def spliced(chunk: dict[str, Any], progress: Progress) -> dict[str, Any] | None:
    """A chunk of a later backend as one of the first: its head, its role only once, its usage as that of the whole."""
    choices = [one for choice in chunk.get("choices") or () if (one := joined(choice, progress))]
    usage = chunk.get("usage")
    if not choices and (chunk.get("choices") or not usage):
        return None
    changed = {**chunk, **(progress.head or {}), "choices": choices}
    return {**changed, "usage": summed(usage, progress)} if isinstance(usage, Mapping) else changed


def joined(choice: dict[str, Any], progress: Progress) -> dict[str, Any] | None:
    delta = {name: value for name, value in (choice.get("delta") or {}).items() if name != "role"}
    if isinstance(delta.get("content"), str):
        delta["content"] = without_owed(delta["content"], progress)
    tells = any(delta.values()) or choice.get("finish_reason")
    return {**choice, "delta": {name: value for name, value in delta.items() if value}} if tells else None


def without_owed(content: str, progress: Progress) -> str:
    if content.startswith(progress.owed):
        content, progress.owed = content[len(progress.owed) :], ""
    elif progress.owed.startswith(content):
        content, progress.owed = "", progress.owed[len(content) :]
    else:
        raise LostError
    return content


def summed(usage: Mapping[str, Any], progress: Progress) -> dict[str, Any]:
    completion = progress.before + count(usage, "completion_tokens")
    whole = {"prompt_tokens": progress.prompt_tokens, "completion_tokens": completion}
    return {**usage, **whole, "total_tokens": progress.prompt_tokens + completion}
