"""What an engine answered: whole replies, and streams put together to what they amount to. Pure."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rollout_conformance.steps.engine.lenient_json import listed, mapping, mappings, text
from rollout_conformance.steps.engine.target_card import Card
from rollout_conformance.steps.engine.trace import Trace
from rollout_conformance.steps.peers.tokens import Tokens

DONE = "[DONE]"
WHOLE = ("id", "model", "created", "usage", "prompt_token_ids")
UNTOLD_CONTEXT = (
    40_009  # tokens that are sent to an engine which does not say how many it takes: a number that no engine says
)
MOST = 1024  # choices, or calls of a choice, that a stream is put together from; a number beyond that is no place


def place(value: Any) -> int:
    """The index of a choice or a call; what is none counts as the first."""
    return value if type(value) is int and 0 <= value < MOST else 0


@dataclass(frozen=True, slots=True)
class Chunk:
    """One event of a stream: `at` in seconds since the case began, `data` parsed, or `DONE`."""

    at: float
    data: Any


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer. `body` is the chat completion, or what the chunks amount to; `left` when we hung up before its end.

    `rewritten` when the history was made such as no engine would have given it. `kind` is the content type of a stream. `too_long` when
    more was asked than the model can take; `others_answered` when there was no answer, while other requests got theirs.
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
    fault: str | None = None  # why a stream was not read to its end
    too_long: bool = field(default=False, kw_only=True)
    others_answered: bool = field(default=False, kw_only=True)

    @property
    def good(self) -> bool:
        return self.status == 200 and isinstance(self.body, Mapping) and not self.left

    @property
    def asked(self) -> list[Any]:
        """The messages of the request; none where it was made without any."""
        return listed(self.request.get("messages"))

    @property
    def fields(self) -> Mapping[str, Any]:
        return mapping(self.body)

    @property
    def choices(self) -> list["Choice"]:
        return [Choice(one) for one in mappings(self.fields.get("choices"))]

    @property
    def usage(self) -> Mapping[str, Any]:
        return mapping(self.fields.get("usage"))

    @property
    def data(self) -> list[Any]:
        """What the events of a stream hold, `DONE` and what is no JSON among it."""
        return [chunk.data for chunk in self.chunks]

    @property
    def parts(self) -> list[Mapping[str, Any]]:
        """The choices of all chunks of a stream, in the order in which they came."""
        return [part for data in self.data for part in mappings(mapping(data).get("choices"))]

    @property
    def pieces(self) -> list[Mapping[str, Any]]:
        """The pieces of calls of all chunks of a stream."""
        return [piece for part in self.parts for piece in mappings(mapping(part.get("delta")).get("tool_calls"))]

    @property
    def shown(self) -> str:
        """All that was answered, as text; nothing of a body that is none."""
        return self.raw.decode("utf-8", "replace") if self.raw else json.dumps(self.body, default=lambda _: "")

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
        return mapping(self.raw.get("message"))

    @property
    def content(self) -> str:
        """Of a plain completion its text."""
        return text(self.message.get("content")) or text(self.raw.get("text"))

    @property
    def calls(self) -> list[Mapping[str, Any]]:
        return mappings(self.message.get("tool_calls"))

    @property
    def reasoning(self) -> str:
        """What is told of the reasoning, by either of its names."""
        return text(self.message.get("reasoning_content")) or text(self.message.get("reasoning"))

    @property
    def finish(self) -> Any:
        return self.raw.get("finish_reason")

    @property
    def ids(self) -> tuple[int, ...] | None:
        return _ids(self.raw.get("token_ids"))

    @property
    def logprobs(self) -> list[Mapping[str, Any]] | None:
        content = mapping(self.raw.get("logprobs")).get("content")
        return mappings(content) if isinstance(content, list) else None


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
    choices: dict[int, _Growing] = {}
    for data in (mapping(chunk.data) for chunk in chunks):
        whole |= {name: data[name] for name in WHOLE if data.get(name) is not None}
        for part in mappings(data.get("choices")):
            index = place(part.get("index"))
            if index not in choices:
                choices[index] = _Growing(part.get("index", 0))
            choices[index].add(part)
    whole["choices"] = [choices[index].choice() for index in sorted(choices)]
    return whole


@dataclass(slots=True)
class _GrowingCall:
    """A call of a choice, as far as it came."""

    id: Any = None
    function: dict[str, list[str]] = field(default_factory=lambda: {"name": [], "arguments": []})

    def add(self, part: Mapping[str, Any]) -> None:
        self.id = part.get("id") or self.id
        function = mapping(part.get("function"))
        for name, pieces in self.function.items():
            pieces.append(text(function.get(name)))

    def call(self) -> dict[str, Any]:
        function = {name: "".join(pieces) for name, pieces in self.function.items()}
        return {"id": self.id, "type": "function", "function": function}


@dataclass(slots=True)
class _Growing:
    """A choice of a stream, as far as it came. Its pieces are joined at the end: joined one by one, each of them would be copied for
    every one behind it."""

    index: Any
    role: Any = None
    finish: Any = None
    texts: dict[str, list[str]] = field(default_factory=dict)
    calls: list[_GrowingCall] = field(default_factory=list)
    others: dict[str, list[Any]] = field(default_factory=dict)

    def add(self, part: Mapping[str, Any]) -> None:
        delta = mapping(part.get("delta"))
        self.role = delta.get("role") or self.role
        self.finish = part.get("finish_reason") or self.finish
        for name in ("content", "reasoning", "reasoning_content"):
            self._say(name, delta.get(name))
        self._say("content", part.get("text"))
        for call in mappings(delta.get("tool_calls")):
            self._call(call)
        for name, more in (
            ("token_ids", part.get("token_ids")),
            ("logprobs", mapping(part.get("logprobs")).get("content")),
        ):
            if isinstance(more, list):
                self.others.setdefault(name, []).extend(more)

    def _say(self, name: str, piece: Any) -> None:
        if isinstance(piece, str):
            self.texts.setdefault(name, []).append(piece)

    def _call(self, part: Mapping[str, Any]) -> None:
        index = place(part.get("index"))
        self.calls += [_GrowingCall() for _ in range(index + 1 - len(self.calls))]
        self.calls[index].add(part)

    def choice(self) -> dict[str, Any]:
        texts = {name: "".join(pieces) for name, pieces in self.texts.items()}
        message = {"role": self.role, "content": None, **texts}
        if self.calls:
            message["tool_calls"] = [call.call() for call in self.calls]
        whole: dict[str, Any] = {"index": self.index, "message": message, "finish_reason": self.finish}
        if "token_ids" in self.others:
            whole["token_ids"] = self.others["token_ids"]
        if "logprobs" in self.others:
            whole["logprobs"] = {"content": self.others["logprobs"]}
        return whole


@dataclass(slots=True)
class CaseContext:
    """What the cases of a run share. `shown` are the capabilities of the engine, `listed` its models,
    `context_tokens` how many tokens it takes; `tokens` is None where the suite does not have the model's tokenizer."""

    model: str
    key: str | None
    tokens: Tokens | None
    card: Card
    context_tokens: int
    shown: frozenset[str] = frozenset()
    listed: frozenset[str] = frozenset()

    @property
    def tells_context(self) -> bool:
        """Whether the engine says how many tokens it takes."""
        return self.context_tokens != UNTOLD_CONTEXT

    @property
    def target_key(self) -> str | None:
        """The same key by the name that the contexts of all profiles have for it."""
        return self.key

    @property
    def wanted(self) -> dict[str, Any]:
        """What is asked for with every reply, where the engine has it: a strict one refuses members that it does not know."""
        names = {"logprobs": "logprobs", "token_ids": "return_token_ids"}
        return {member: True for capability, member in names.items() if capability in self.shown}


@dataclass(frozen=True, slots=True)
class CaseView:
    """One case as the checks read it. `gauges` are readings of /metrics, by name."""

    trace: Trace
    replies: Mapping[str, Reply]
    gauges: Mapping[str, Mapping[str, float]]
    context: CaseContext
    wait_timeouts: tuple[tuple[str, str], ...] = field(default=())
    extra: Mapping[str, Any] = field(default_factory=dict)

    @property
    def tokens(self) -> Tokens | None:
        return self.context.tokens

    def named(self, name: str) -> list[Reply]:
        """The reply of that name, or all of `name#1`, `name#2`, ... in their order."""
        return [reply for key, reply in self.replies.items() if key == name or key.startswith(f"{name}#")]
