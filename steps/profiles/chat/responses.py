"""What an inference server returned: completions, and streams put together to what they amount to. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields

from rollout_conformance.steps.engine.lenient_json import JsonObject, mapping, mappings, text
from rollout_conformance.steps.engine.trace import NotJson, parse
from rollout_conformance.steps.http.responses import KeptResponse
from rollout_conformance.steps.sse.streams import StreamedResponse

Message = JsonObject

MOST = 1024  # choices, or tool calls of a choice, that a stream is put together from; a number beyond that is no index


def index_of(value: object) -> int:
    """The index of a choice or a tool call; what is none counts as the first."""
    return value if type(value) is int and 0 <= value < MOST else 0


@dataclass(frozen=True, slots=True)
class ChatResponse(StreamedResponse):
    """One response to a chat completion, or to any other request. `body` is the completion, or what the chunks amount to.

    `invented_history` when the server would not have generated the history that was sent. `exceeds_context` when the request had more
    tokens than the model takes; `others_answered` when there was no response, while other requests got theirs.
    """

    invented_history: bool = field(default=False, kw_only=True)
    exceeds_context: bool = field(default=False, kw_only=True)
    others_answered: bool = field(default=False, kw_only=True)

    @classmethod
    def of(cls, kept: KeptResponse) -> "ChatResponse":
        """Any response, read as one of an inference server."""
        if isinstance(kept, ChatResponse):
            return kept
        return cls(**{member.name: getattr(kept, member.name) for member in fields(KeptResponse)})

    @property
    def is_completion(self) -> bool:
        """Whether it is a success that was read to its end, with a JSON object."""
        return self.status == 200 and isinstance(self.body, Mapping) and not self.left

    @property
    def is_readable(self) -> bool:
        """A completion that was requested has to be JSON."""
        return not (self.status == 200 and self.request and isinstance(self.body, NotJson))

    @property
    def messages(self) -> list[Message]:
        """The messages of the request; none where it was sent without any."""
        return mappings(self.request.get("messages"))

    @property
    def choices(self) -> list["Choice"]:
        return [Choice(one) for one in mappings(self.fields.get("choices"))]

    @property
    def first_choice(self) -> "Choice":
        """The first choice; an empty one where there is none."""
        return self.choices[0] if self.choices else Choice({})

    @property
    def usage(self) -> JsonObject:
        return mapping(self.fields.get("usage"))

    @property
    def deltas(self) -> list[JsonObject]:
        """The choices of all chunks of a stream, in the order in which they were received."""
        return [part for data in self.data for part in mappings(mapping(data).get("choices"))]

    @property
    def is_only_an_error(self) -> bool:
        """Whether a stream is the report of an error, and nothing of a completion: no chunk has any part of a message. Some servers add a choice
        to the error, which ends at once."""
        failed = any(mapping(data).get("error") for data in self.data)
        return failed and not any(value for part in self.deltas for value in _said(part))

    @property
    def call_deltas(self) -> list[JsonObject]:
        """The parts of tool calls of all chunks of a stream."""
        return [piece for part in self.deltas for piece in mappings(mapping(part.get("delta")).get("tool_calls"))]

    @property
    def prompt_ids(self) -> tuple[int, ...] | None:
        return _ids(self.fields.get("prompt_token_ids"))

    @property
    def streamed(self) -> bool:
        return bool(self.request.get("stream"))


def _said(part: JsonObject) -> Iterator[object]:
    """The members of a delta but its role."""
    return (value for name, value in mapping(part.get("delta")).items() if name != "role")


@dataclass(frozen=True, slots=True)
class Choice:
    """One choice of a completion."""

    raw: JsonObject

    @property
    def message(self) -> JsonObject:
        return mapping(self.raw.get("message"))

    @property
    def content(self) -> str:
        """Of a plain completion its text."""
        return text(self.message.get("content")) or text(self.raw.get("text"))

    @property
    def calls(self) -> list[JsonObject]:
        return mappings(self.message.get("tool_calls"))

    @property
    def reasoning(self) -> str:
        """The reasoning, by either of its names."""
        return text(self.message.get("reasoning_content")) or text(self.message.get("reasoning"))

    @property
    def texts(self) -> list[str]:
        """What was generated as text. Ids, token ids and logprobs are none, though they hold digits and letters."""
        functions = [mapping(call.get("function")) for call in self.calls]
        return [
            self.content,
            self.reasoning,
            *(text(one.get(part)) for one in functions for part in ("name", "arguments")),
        ]

    @property
    def is_cut_call(self) -> bool:
        """Whether the arguments of the last call are no JSON: all of them, where something ended it in the middle."""
        arguments = mapping(self.calls[-1].get("function")).get("arguments") if self.calls else None
        return isinstance(arguments, str) and isinstance(parse(arguments.encode("utf-8", "replace")), NotJson)

    @property
    def finish(self) -> object:
        return self.raw.get("finish_reason")

    @property
    def ids(self) -> tuple[int, ...] | None:
        return _ids(self.raw.get("token_ids"))

    @property
    def logprobs(self) -> list[JsonObject] | None:
        content = mapping(self.raw.get("logprobs")).get("content")
        return mappings(content) if isinstance(content, list) else None


def _ids(value: object) -> tuple[int, ...] | None:
    """Token ids; what is no list of them is none at all."""
    if isinstance(value, list) and all(type(one) is int and one >= 0 for one in value):
        return tuple(value)
    return None


def functions(choice: Choice) -> Iterator[tuple[str, str]]:
    """The name and the arguments of each tool call."""
    for call in choice.calls:
        function = call.get("function")
        if isinstance(function, Mapping):
            yield str(function.get("name")), str(function.get("arguments"))
