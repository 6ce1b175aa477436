"""The messages of the chat completions API as pydantic models: requests, responses, chunks of a stream, errors.

The models follow openapi.yaml. Unknown members are kept, because inference servers accept and return more members than openapi.yaml
describes. The models do not check rules between members (`top_logprobs` requires `logprobs`); the inference server does. This module
does no I/O, and any module may import it.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StrictBool

from rollout_conformance.contracts.rollout.wire import Integer, Number, Object, Text

MOST_TOP_LOGPROBS = 20
MOST_STOPS = 4
HOTTEST = 2.0


def _not_a_number(value: Any) -> Any:
    """Reject 1 and 0: Python reads them as True and False, JSON as numbers."""
    if type(value) in (int, float):
        raise ValueError("must be a boolean")
    return value


class _Open(BaseModel):
    model_config = ConfigDict(extra="allow", frozen=True)


Flag = Annotated[StrictBool, BeforeValidator(_not_a_number)]
Count = Annotated[Integer, Field(ge=0)]
Positive = Annotated[Integer, Field(ge=1)]
Seed = Annotated[Integer, Field(ge=-(2**63), lt=2**63)]
Temperature = Annotated[Number, Field(ge=0, le=HOTTEST)]
TopP = Annotated[Number, Field(gt=0, le=1)]
TopLogprobs = Annotated[Integer, Field(ge=0, le=MOST_TOP_LOGPROBS)]
Stop = Annotated[str, Field(strict=True, min_length=1)]
Stops = Annotated[list[Stop], Field(max_length=MOST_STOPS)]
NotEmpty = Annotated[str, Field(strict=True, min_length=1)]
Byte = Annotated[Integer, Field(ge=0, le=255)]
Logarithm = Annotated[Number, Field(le=0)]
Function = Literal["function"]
Ending = Literal["stop", "length", "tool_calls", "content_filter"]


class TextPart(_Open):
    type: Literal["text"]
    text: Text


class CalledFunction(_Open):
    name: Text
    arguments: Text


class ToolCall(_Open):
    """A tool call of an earlier turn."""

    id: Text
    type: Function = "function"
    function: CalledFunction


class Message(_Open):
    role: Text
    content: Annotated[Text | list[TextPart] | None, Field(union_mode="left_to_right")] = None
    reasoning: Text | None = None
    tool_calls: list[ToolCall] | None = None
    tool_call_id: Text | None = None


class DeclaredFunction(_Open):
    name: Text
    description: Text | None = None
    parameters: Object | None = None


class Tool(_Open):
    type: Function = "function"
    function: DeclaredFunction


class FunctionName(_Open):
    name: Text


class NamedTool(_Open):
    type: Function = "function"
    function: FunctionName


class StreamOptions(_Open):
    include_usage: Flag | None = None


class NamedSchema(_Open):
    name: Text
    body: Annotated[Object, Field(alias="schema")]


class PlainFormat(_Open):
    type: Literal["text", "json_object"]


class SchemaFormat(_Open):
    type: Literal["json_schema"]
    json_schema: NamedSchema


class ChatRequest(_Open):
    """`POST /v1/chat/completions`."""

    messages: Annotated[list[Message], Field(min_length=1)]
    model: Text | None = None
    tools: Annotated[list[Tool], Field(min_length=1)] | None = None
    tool_choice: Literal["none", "auto", "required"] | NamedTool | None = None
    parallel_tool_calls: Flag | None = None
    temperature: Temperature | None = None
    top_p: TopP | None = None
    seed: Seed | None = None
    n: Positive | None = None
    stop: Stop | Stops | None = None
    max_tokens: Positive | None = None
    max_completion_tokens: Positive | None = None
    ignore_eos: Flag = False
    logprobs: Flag | None = None
    top_logprobs: TopLogprobs | None = None
    stream: Flag | None = None
    stream_options: StreamOptions | None = None
    return_token_ids: Flag | None = None
    response_format: PlainFormat | SchemaFormat | None = None


class Usage(_Open):
    prompt_tokens: Count
    completion_tokens: Count
    total_tokens: Count


class Alternative(_Open):
    token: Text
    logprob: Logarithm
    bytes: list[Byte] | None = None


class Logprob(Alternative):
    top_logprobs: list[Alternative] = []


class Logprobs(_Open):
    content: list[Logprob] | None


class ReturnedToolCall(_Open):
    id: NotEmpty
    type: Function
    function: CalledFunction


class AssistantMessage(_Open):
    role: Literal["assistant"]
    content: Text | None
    reasoning: Text | None = None
    tool_calls: list[ReturnedToolCall] | None = None


class Choice(_Open):
    index: Count
    message: AssistantMessage
    finish_reason: Ending
    stop_reason: Integer | Text | None = None
    logprobs: Logprobs | None = None
    token_ids: list[Count] | None = None


class ChatReply(_Open):
    """The response to a request without `stream`."""

    id: NotEmpty
    object: Literal["chat.completion"]
    created: Count
    model: Text
    choices: Annotated[list[Choice], Field(min_length=1)]
    usage: Usage | None = None
    prompt_token_ids: list[Count] | None = None


class PieceOfFunction(_Open):
    name: Text | None = None
    arguments: Text | None = None


class CallPiece(_Open):
    index: Count
    id: Text | None = None
    type: Function | None = None
    function: PieceOfFunction | None = None


class Delta(_Open):
    role: Literal["assistant"] | None = None
    content: Text | None = None
    reasoning: Text | None = None
    tool_calls: list[CallPiece] | None = None


class ChunkChoice(_Open):
    index: Count
    delta: Delta
    finish_reason: Ending | None = None
    stop_reason: Integer | Text | None = None
    logprobs: Logprobs | None = None
    token_ids: list[Count] | None = None


class Chunk(_Open):
    """The JSON object in one event of a stream."""

    id: NotEmpty
    object: Literal["chat.completion.chunk"]
    created: Count
    model: Text
    choices: list[ChunkChoice]
    usage: Usage | None = None
    prompt_token_ids: list[Count] | None = None


class Error(_Open):
    message: NotEmpty
    type: Text | None = None
    param: Text | None = None
    code: Integer | Text | None = None


class ErrorReply(_Open):
    """The body of every response with a status of 400 or above, and the JSON object in the event that ends a failed stream."""

    error: Error
