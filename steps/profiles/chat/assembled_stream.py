"""What a stream amounts to: its chunks put together in the form of a response that is not streamed. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from rollout_conformance.steps.engine.lenient_json import JsonObject, mapping, mappings, text
from rollout_conformance.steps.engine.trace import Response, parse
from rollout_conformance.steps.peers.streamed_reply import EVENT_STREAM
from rollout_conformance.steps.profiles.chat.responses import index_of
from rollout_conformance.steps.profiles.chat.token_id_locations import with_ids_at
from rollout_conformance.steps.sse.parser import Parser
from rollout_conformance.steps.sse.streams import Chunk, event_data

OF_THE_WHOLE = ("id", "model", "created", "usage", "prompt_token_ids")


def assembled(chunks: Sequence[Chunk], ids_at: str | None = None) -> dict[str, Any]:
    """What a stream amounts to. Members of chunks that cannot be read are left out. `ids_at` is where its token ids are, if
    not at the usual place."""
    whole: dict[str, object] = {"object": "chat.completion", "choices": []}
    choices: dict[int, _Growing] = {}
    for data in (mapping(with_ids_at(chunk.data, ids_at)) for chunk in chunks):
        whole |= {name: data[name] for name in OF_THE_WHOLE if data.get(name) is not None}
        for part in mappings(data.get("choices")):
            index = index_of(part.get("index"))
            if index not in choices:
                choices[index] = _Growing(part.get("index", 0))
            choices[index].add(part)
    whole["choices"] = [choices[index].choice() for index in sorted(choices)]
    return whole


def whole_of(response: Response) -> object:
    """The body of a response as JSON, put together where it is a stream."""
    if not (response.header("content-type") or "").startswith(EVENT_STREAM):
        return parse(response.body)
    return assembled([Chunk(0.0, event_data(event.data)) for event in Parser().feed(response.body)])


@dataclass(slots=True)
class _GrowingCall:
    """A tool call of a choice, as far as it was received."""

    id: object = None
    function: dict[str, list[str]] = field(default_factory=lambda: {"name": [], "arguments": []})

    def add(self, part: JsonObject) -> None:
        self.id = part.get("id") or self.id
        function = mapping(part.get("function"))
        name = text(function.get("name"))
        if name and "".join(self.function["name"]) != name:  # sent again it is the same one: CHAT-058 judges that
            self.function["name"].append(name)
        self.function["arguments"].append(text(function.get("arguments")))

    def call(self) -> dict[str, object]:
        function = {name: "".join(pieces) for name, pieces in self.function.items()}
        return {"id": self.id, "type": "function", "function": function}


@dataclass(slots=True)
class _Growing:
    """A choice of a stream, as far as it was received. Its pieces are joined at the end: joined one by one, each of them would be copied for
    every one behind it."""

    index: object
    role: object = None
    finish: object = None
    texts: dict[str, list[str]] = field(default_factory=dict)
    calls: list[_GrowingCall] = field(default_factory=list)
    others: dict[str, list[object]] = field(default_factory=dict)

    def add(self, part: JsonObject) -> None:
        delta = mapping(part.get("delta"))
        self.role = delta.get("role") or self.role
        self.finish = part.get("finish_reason") or self.finish
        for name in ("content", "reasoning", "reasoning_content"):
            self._add_text(name, delta.get(name))
        self._add_text("content", part.get("text"))
        for call in mappings(delta.get("tool_calls")):
            self._call(call)
        for name, more in (
            ("token_ids", part.get("token_ids")),
            ("logprobs", mapping(part.get("logprobs")).get("content")),
        ):
            if isinstance(more, list):
                self.others.setdefault(name, []).extend(more)

    def _add_text(self, name: str, piece: object) -> None:
        if isinstance(piece, str):
            self.texts.setdefault(name, []).append(piece)

    def _call(self, part: JsonObject) -> None:
        index = index_of(part.get("index"))
        self.calls += [_GrowingCall() for _ in range(index + 1 - len(self.calls))]
        self.calls[index].add(part)

    def choice(self) -> dict[str, object]:
        texts = {name: "".join(pieces) for name, pieces in self.texts.items()}
        message = {"role": self.role, "content": None, **texts}
        if self.calls:
            message["tool_calls"] = [call.call() for call in self.calls]
        whole: dict[str, object] = {"index": self.index, "message": message, "finish_reason": self.finish}
        if "token_ids" in self.others:
            whole["token_ids"] = self.others["token_ids"]
        if "logprobs" in self.others:
            whole["logprobs"] = {"content": self.others["logprobs"]}
        return whole
