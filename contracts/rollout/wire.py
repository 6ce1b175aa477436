"""The messages of the rollout protocol as pydantic models, as the reference rollout server validates them.

In the `sync` dialect the response to `POST /rollout` is the result; in the `callback` dialect it is a 202, and the result follows in a
completed callback. The models are strict: an integer may be written 12.0, as JSON Schema allows, but never "12" or true. Unknown members
of a start request are ignored, unknown members of a message of the history are kept. This module does no I/O, and any module may import
it.
"""

import re
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainValidator,
    Strict,
    StrictBool,
    WithJsonSchema,
    model_validator,
)

MAX_NAME = 256  # characters, not bytes; of rollout ids, tool names and tool call ids
MAX_TURNS = 100
MAX_TOKENS_TOTAL = 1_000_000
ROLES = ("system", "developer", "user", "assistant", "tool", "function")

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_NOT_IN_URL = re.compile(r"[^!-~]|[?#\\]")
_HOST_AND_PORT = re.compile(r"(\[[0-9A-Fa-f:]+\]|[0-9A-Za-z._~-]+)(:[0-9]*)?")
_NOT_IN_HEADER = re.compile(r"[^\x20-\x7e]")


# Strings are validated here because the str of pydantic rejects a lone surrogate, which JSON allows ("\ud800") and which the server must
# forward unchanged.
def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("must be a string")
    return value


def _short_text(value: Any) -> str:
    if len(_text(value)) > MAX_NAME:
        raise ValueError(f"must have at most {MAX_NAME} characters")
    return str(value)


def _name(value: Any) -> str:
    if not _short_text(value):
        raise ValueError("must not be empty")
    return str(value)


def _rollout_id(value: Any) -> str:
    if not _name(value).strip():
        raise ValueError("must not be blank")
    if _CONTROL.search(value):
        raise ValueError("must not contain control characters")
    return str(value)


def _server_url(value: Any) -> str:
    """The base URL without trailing slashes. URLs with parts that would change or leak when a path is appended are rejected."""
    if _NOT_IN_URL.search(_text(value)):
        raise ValueError("must be printable ASCII without a query, a fragment, a backslash or spaces")
    scheme, host = _scheme_and_host(value)
    if scheme not in ("http", "https"):
        raise ValueError("must start with http:// or https://")
    if not host:
        raise ValueError("must name a host, and no user")
    return str(value).rstrip("/")


def _scheme_and_host(url: str) -> tuple[str, str | None]:
    try:
        parts = urlsplit(url)
        usable = parts.port != 0 and _HOST_AND_PORT.fullmatch(parts.netloc)  # a port out of range raises here
    except ValueError:
        return url.partition(":")[0].lower(), None
    return parts.scheme.lower(), parts.hostname if usable else None


def _key(value: Any) -> str:
    if _NOT_IN_HEADER.search(_text(value)):
        raise ValueError("must be printable ASCII, as it is sent in a header")
    return str(value)


def _integral(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _first(value: Any) -> Any:
    return value[:1] if isinstance(value, list) else value


Text = Annotated[str, PlainValidator(_text), WithJsonSchema({"type": "string"})]
ShortText = Annotated[str, PlainValidator(_short_text), WithJsonSchema({"type": "string", "maxLength": MAX_NAME})]
Name = Annotated[str, PlainValidator(_name), WithJsonSchema({"type": "string", "minLength": 1, "maxLength": MAX_NAME})]
RolloutId = Annotated[
    str, PlainValidator(_rollout_id), WithJsonSchema({"type": "string", "minLength": 1, "maxLength": MAX_NAME})
]
ServerUrl = Annotated[str, PlainValidator(_server_url), WithJsonSchema({"type": "string", "format": "uri"})]
Key = Annotated[str, PlainValidator(_key), WithJsonSchema({"type": "string", "format": "password"})]
Integer = Annotated[int, Strict(), BeforeValidator(_integral)]
Count = Annotated[Integer, Field(ge=0)]
Number = Annotated[float, Field(strict=True, allow_inf_nan=False)]
NotNegative = Annotated[Number, Field(ge=0)]
Object = dict[str, Any]
# Responses have thousands of ids: plain integers are validated without one Python call each, 12.0 in a second pass.
TokenIds = Annotated[
    list[Annotated[int, Field(strict=True, ge=0)]] | list[Count],
    Field(union_mode="left_to_right"),
    WithJsonSchema({"type": "array", "items": {"type": "integer", "minimum": 0}}),
]
Content = Annotated[Text | list[Object] | None, Field(union_mode="left_to_right")]
Stop = list[Text] | None
MaxTurns = Annotated[Integer, Field(ge=1, le=MAX_TURNS)]
MaxTokensTotal = Annotated[Integer, Field(ge=1, le=MAX_TOKENS_TOTAL)]


class _Open(BaseModel):
    """Unknown members are kept."""

    model_config = ConfigDict(extra="allow", frozen=True)


class _Lenient(BaseModel):
    """Unknown members are ignored."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class FunctionCall(_Open):
    name: Name
    arguments: Annotated[Text | Object, Field(union_mode="left_to_right")]


class ToolCall(_Open):
    id: Name
    type: Literal["function"] = "function"
    function: FunctionCall


class Message(_Open):
    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: Content = None
    tool_calls: list[ToolCall] | None = None
    tool_call_id: ShortText | None = None


Messages = Annotated[list[Message], Field(min_length=1)]


class FunctionSchema(_Open):
    name: Name
    description: Text | None = None
    parameters: Object | None = None


class Tool(_Open):
    type: Literal["function"]
    function: FunctionSchema


class ToolsReply(_Open):
    tools: list[Tool]


# Members that the server sets itself in a generation request, or that would change the form of the response.
SHADOWING = ("messages", "rollout_id", "response_mask")


def refuse_shadowing(values: Any) -> Any:
    if not isinstance(values, dict):
        return values
    for key in SHADOWING:
        if key in values:
            raise ValueError(f"must not contain {key}: the rollout server sets it")
    if values.get("stream") is not None and values["stream"] is not False:
        raise ValueError("must not ask for a stream: a generation is answered whole")
    if values.get("n") is True or values.get("n") not in (None, 1):
        raise ValueError("must not ask for several choices: a rollout follows one")
    return values


class CompletionParams(_Open):
    """The sampling parameters of the callback dialect: any value that a generation request can have, forwarded unchanged."""

    temperature: Number = 1.0
    top_p: Number = 1.0
    max_tokens: Integer = 512
    stop: Text | Stop = None
    logprobs: StrictBool = True

    _own_keys = model_validator(mode="before")(refuse_shadowing)


class SamplingParams(CompletionParams):
    """The sampling parameters of the sync dialect, with limits."""

    temperature: Annotated[Number, Field(ge=0, le=2)] = 1.0
    top_p: Annotated[Number, Field(ge=0, le=1)] = 1.0
    max_tokens: Annotated[Integer, Field(ge=1, le=32768)] = 512
    stop: Stop = None


class _Start(_Lenient):
    rollout_id: RolloutId
    server_url: ServerUrl
    messages: Messages
    tool_server_url: Text | None = None
    max_turns: MaxTurns = 10
    max_tokens_total: MaxTokensTotal = 8192
    metadata: Object = {}


class RolloutRequest(_Start):
    """POST /rollout: the response is sent when the rollout has ended."""

    sampling_params: SamplingParams
    callback_api_key: Key | None = None
    tokenizer_name: Text
    tokenizer_revision: Text | None = None


class InitRequest(_Start):
    """POST /v1/rollout/init: the response is an immediate 202, the result follows in POST {server_url}/v1/rollout/completed."""

    completion_params: CompletionParams
    api_key: Key | None = None
    idempotency_key: Text | None = None


class InitReply(_Open):
    rollout_id: RolloutId
    tools: list[Tool]


class ChatRequest(_Open):
    """POST {server_url}/v1/chat/completions of the callback dialect."""

    model: Text = "default"
    messages: Messages
    rollout_id: RolloutId
    temperature: Number = 1.0
    top_p: Number = 1.0
    max_tokens: Integer = 512
    stop: Text | Stop = None
    logprobs: StrictBool = True


class MaskedChatRequest(ChatRequest):
    """The sync dialect adds the response mask, with one 0 for each token that was inserted since the last generation."""

    response_mask: Annotated[list[Annotated[Integer, Field(ge=0, le=1)]], Field(min_length=1)] | None = None


class ReplyMessage(Message):
    role: Literal["assistant"]


class Choice(_Lenient):
    message: ReplyMessage
    finish_reason: Text | None = None


class Usage(_Lenient):
    prompt_tokens: Count | None = None
    completion_tokens: Count | None = None


class ChatReply(_Lenient):
    """The members of a generation that the rollout server reads. Only the first choice is used.

    In the callback dialect the token members belong to the trainer, and the rollout server does not validate them.
    """

    choices: Annotated[list[Choice], BeforeValidator(_first), Field(min_length=1)]
    usage: Usage | None = None
    token_ids: Any = None
    logprobs: Any = None
    prompt_token_ids: Any = None


class TokenChatReply(ChatReply):
    """In the sync dialect the token members are required."""

    token_ids: TokenIds
    logprobs: list[Number]
    prompt_token_ids: TokenIds

    @model_validator(mode="after")
    def _one_logprob_a_token(self) -> "TokenChatReply":
        if len(self.logprobs) != len(self.token_ids):
            raise ValueError(f"{len(self.token_ids)} token_ids but {len(self.logprobs)} logprobs")
        return self


class Metrics(_Open):
    total_latency_ms: NotNegative = 0.0
    llm_latency_ms: NotNegative = 0.0
    tool_latency_ms: NotNegative = 0.0
    num_llm_calls: Count = 0
    num_tool_calls: Count = 0
    prompt_tokens: Count = 0
    response_tokens: Count = 0
    max_context_tokens: Count = 0


class RolloutResult(_Open):
    """The result of a rollout; in the sync dialect the body of the 200."""

    rollout_id: RolloutId
    status: Literal["COMPLETED", "ERROR"]
    final_messages: list[Message] = []
    finish_reason: Text | None = None
    error_message: Text | None = None
    metrics: Metrics | None = None
    extra_fields: Object = {}


class CompletedRequest(RolloutResult):
    """POST {server_url}/v1/rollout/completed."""

    reward: Number | None = None
