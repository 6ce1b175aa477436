"""Resuming a stream on another backend (`x_migrate: true`), only where no token is lost or repeated."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rollout_conformance.rollout_server.router.usage import count

# Members whose state a second backend does not have, or whose output is not one text.
NOT_RESUMABLE = (
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


class NotResumableError(Exception):
    """The stream cannot be resumed without a gap or a repetition."""


def is_wanted(body: Mapping[str, Any]) -> bool:
    if body.get("x_migrate") is not True or "messages" not in body:
        return False
    return body.get("n") in (None, 1) and not any(body.get(name) for name in NOT_RESUMABLE)


@dataclass(slots=True)
class Progress:
    """What the client has received. `trailing_space` is white space at its end, which the next backend generates again."""

    text: str = ""
    trailing_space: str = ""
    head: dict[str, Any] | None = None
    possible: bool = True
    prompt_tokens: int = 0
    tokens: int = 0  # of the current backend
    before: int = 0  # of earlier backends
    switches: int = 0

    def update(self, chunk: Mapping[str, Any]) -> None:
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

    def next_backend(self) -> None:
        """Called when another backend continues."""
        self.before, self.tokens, self.switches = self.before + self.tokens, 0, self.switches + 1
        self.trailing_space = self.text[len(self.text.rstrip()) :]


def body(body: Mapping[str, Any], progress: Progress) -> dict[str, Any]:
    """The request for the rest. Chat templates may trim a message, so it is sent without trailing white space."""
    generated = progress.text.rstrip()
    if not generated:
        return dict(body)
    messages = [*body["messages"], {"role": "assistant", "content": generated}]
    options = {"messages": messages, "continue_final_message": True, "add_generation_prompt": False}
    return {**body, **options, **limits(body, progress.before + progress.tokens)}


def limits(body: Mapping[str, Any], done: int) -> dict[str, int]:
    """Raises `NotResumableError` when the token limit is reached."""
    left = {name: body[name] - done for name in LIMITS if isinstance(body.get(name), int)}
    if left and (not done or min(left.values()) < 1):
        raise NotResumableError
    return left


def merged_chunk(chunk: dict[str, Any], progress: Progress) -> dict[str, Any] | None:
    """A chunk of a later backend as one of the first: its id and model, no second role, usage of the whole response."""
    choices = [one for choice in chunk.get("choices") or () if (one := merged_choice(choice, progress))]
    usage = chunk.get("usage")
    if not choices and (chunk.get("choices") or not usage):
        return None
    changed = {**chunk, **(progress.head or {}), "choices": choices}
    return {**changed, "usage": total_usage(usage, progress)} if isinstance(usage, Mapping) else changed


def merged_choice(choice: dict[str, Any], progress: Progress) -> dict[str, Any] | None:
    delta = {name: value for name, value in (choice.get("delta") or {}).items() if name != "role"}
    if isinstance(delta.get("content"), str):
        delta["content"] = without_trailing_space(delta["content"], progress)
    has_content = any(delta.values()) or choice.get("finish_reason")
    return {**choice, "delta": {name: value for name, value in delta.items() if value}} if has_content else None


def without_trailing_space(content: str, progress: Progress) -> str:
    if content.startswith(progress.trailing_space):
        content, progress.trailing_space = content[len(progress.trailing_space) :], ""
    elif progress.trailing_space.startswith(content):
        content, progress.trailing_space = "", progress.trailing_space[len(content) :]
    else:
        raise NotResumableError
    return content


def total_usage(usage: Mapping[str, Any], progress: Progress) -> dict[str, Any]:
    completion = progress.before + count(usage, "completion_tokens")
    whole = {"prompt_tokens": progress.prompt_tokens, "completion_tokens": completion}
    return {**usage, **whole, "total_tokens": progress.prompt_tokens + completion}
