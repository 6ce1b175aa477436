"""What an engine answered: whole replies, and streams put together to what they amount to. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from steps.engine.card import Card
from steps.engine.trace import Trace
from steps.peers.tokens import Tokens

DONE = "[DONE]"


@dataclass(frozen=True, slots=True)
class Chunk:
    """One event of a stream: `at` in seconds since the case began, `data` parsed, or `DONE`."""

    at: float
    data: Any


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer. `body` is the chat completion, or what the chunks amount to; `left` when we hung up before its end.

    `rewritten` when the history was made such as no engine would have given it. `kind` is the content type of a stream.
    """

    name: str
    n: int
    request: Mapping[str, Any]
    status: int | None
    body: Any
    chunks: tuple[Chunk, ...] = ()
    left: bool = False
    rewritten: bool = False
    kind: str = "application/json"
    raw: bytes = b""

    @property
    def good(self) -> bool:
        return self.status == 200 and isinstance(self.body, Mapping) and not self.left

    @property
    def fields(self) -> Mapping[str, Any]:
        return self.body if isinstance(self.body, Mapping) else {}

    @property
    def choices(self) -> list["Choice"]:
        listed = self.fields.get("choices")
        return [Choice(one) for one in listed if isinstance(one, Mapping)] if isinstance(listed, list) else []

    @property
    def prompt_ids(self) -> tuple[int, ...] | None:
        return _ids(self.fields.get("prompt_token_ids"))

    @property
    def streamed(self) -> bool:
        return bool(self.request.get("stream"))


@dataclass(frozen=True, slots=True)
class Choice:
    """One choice of a reply."""

    raw: Mapping[str, Any]

    @property
    def message(self) -> Mapping[str, Any]:
        message = self.raw.get("message")
        return message if isinstance(message, Mapping) else {}

    @property
    def content(self) -> str:
        content = self.message.get("content")
        return content if isinstance(content, str) else ""

    @property
    def calls(self) -> list[Mapping[str, Any]]:
        calls = self.message.get("tool_calls")
        return [call for call in calls if isinstance(call, Mapping)] if isinstance(calls, list) else []

    @property
    def finish(self) -> Any:
        return self.raw.get("finish_reason")

    @property
    def ids(self) -> tuple[int, ...] | None:
        return _ids(self.raw.get("token_ids"))

    @property
    def logprobs(self) -> list[Mapping[str, Any]] | None:
        held = self.raw.get("logprobs")
        content = held.get("content") if isinstance(held, Mapping) else None
        return [entry for entry in content if isinstance(entry, Mapping)] if isinstance(content, list) else None


def _ids(value: Any) -> tuple[int, ...] | None:
    """Token ids; what is no list of them is none at all."""
    good = isinstance(value, list) and all(type(one) is int and one >= 0 for one in value)
    return tuple(value) if good else None


def functions(choice: Choice) -> Iterator[tuple[str, str]]:
    """The name and the arguments of each call."""
    for call in choice.calls:
        function = call.get("function")
        if isinstance(function, Mapping):
            yield str(function.get("name")), str(function.get("arguments"))


def put_together(chunks: Sequence[Chunk]) -> dict[str, Any]:
    """What a stream amounts to, in the form of a reply. Members of chunks that cannot be read are left out."""
    whole: dict[str, Any] = {"object": "chat.completion", "choices": []}
    choices: dict[int, dict[str, Any]] = {}
    for chunk in chunks:
        if not isinstance(chunk.data, Mapping):
            continue
        for name in ("id", "model", "created", "usage", "prompt_token_ids"):
            if chunk.data.get(name) is not None:
                whole[name] = chunk.data[name]
        for part in chunk.data.get("choices") or []:
            if isinstance(part, Mapping):
                _add(choices.setdefault(int(part.get("index") or 0), _empty(part)), part)
    whole["choices"] = [choices[index] for index in sorted(choices)]
    return whole


def _empty(part: Mapping[str, Any]) -> dict[str, Any]:
    return {"index": part.get("index", 0), "message": {"role": None, "content": None}, "finish_reason": None}


def _add(choice: dict[str, Any], part: Mapping[str, Any]) -> None:
    delta: Mapping[str, Any] = part.get("delta") or {}
    message = choice["message"]
    message["role"] = delta.get("role") or message["role"]
    for name in ("content", "reasoning", "reasoning_content"):
        if isinstance(delta.get(name), str):
            message[name] = (message.get(name) or "") + delta[name]
    for call in delta.get("tool_calls") or []:
        _add_call(message.setdefault("tool_calls", []), call)
    choice["finish_reason"] = part.get("finish_reason") or choice["finish_reason"]
    if isinstance(part.get("token_ids"), list):
        choice["token_ids"] = choice.get("token_ids", []) + part["token_ids"]
    content = (part.get("logprobs") or {}).get("content")
    if isinstance(content, list):
        choice.setdefault("logprobs", {"content": []})["content"] += content


def _add_call(calls: list[dict[str, Any]], part: Mapping[str, Any]) -> None:
    index = int(part.get("index") or 0)
    while len(calls) <= index:
        calls.append({"id": None, "type": "function", "function": {"name": "", "arguments": ""}})
    calls[index]["id"] = part.get("id") or calls[index]["id"]
    function: Mapping[str, Any] = part.get("function") or {}
    for name in ("name", "arguments"):
        calls[index]["function"][name] += function.get(name) or ""


@dataclass(slots=True)
class Bench:
    """What the cases of a run share. `shown` are the capabilities of the engine, `context` how many tokens it takes; `tokens` is None
    where the suite does not have the model's tokenizer."""

    model: str
    key: str | None
    tokens: Tokens | None
    card: Card
    context: int
    shown: frozenset[str] = frozenset()

    @property
    def target_key(self) -> str | None:
        """The same key by the name that the benches of all profiles have for it."""
        return self.key

    @property
    def wanted(self) -> dict[str, Any]:
        """What is asked for with every reply, where the engine has it: a strict one refuses members that it does not know."""
        names = {"logprobs": "logprobs", "token_ids": "return_token_ids"}
        return {member: True for capability, member in names.items() if capability in self.shown}


@dataclass(frozen=True, slots=True)
class Talk:
    """One case as the checks read it. `gauges` are readings of /metrics, by name."""

    trace: Trace
    replies: Mapping[str, Reply]
    gauges: Mapping[str, Mapping[str, float]]
    bench: Bench
    gave_up: tuple[tuple[str, str], ...] = field(default=())
    extra: Mapping[str, Any] = field(default_factory=dict)

    @property
    def tokens(self) -> Tokens | None:
        return self.bench.tokens

    def named(self, name: str) -> list[Reply]:
        """The reply of that name, or all of `name#1`, `name#2`, ... in their order."""
        return [reply for key, reply in self.replies.items() if key == name or key.startswith(f"{name}#")]
