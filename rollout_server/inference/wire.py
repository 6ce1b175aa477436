"""The types of requests; `request_validation` checks the values.

Unknown members are accepted, as in vLLM: clients send many.
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, FiniteFloat

Objects = list[dict[str, Any]]


def messages(value: Objects) -> Objects:
    if not value:
        raise ValueError("there has to be a message")
    for message in value:
        if not isinstance(message.get("role"), str):
            raise ValueError("each message needs a role")
        if not is_content(message.get("content")):
            raise ValueError("the content of a message is a text, null, or a list of parts")
    return value


def is_content(value: Any) -> bool:
    if isinstance(value, list):
        return all(isinstance(part, dict) for part in value)
    return value is None or isinstance(value, str)


def tools(value: Objects) -> Objects:
    for tool in value:
        function = tool.get("function")
        if not isinstance(function, dict) or not isinstance(function.get("name"), str):
            raise ValueError("each tool needs a function with a name")
    return value


Messages = Annotated[Objects, AfterValidator(messages)]
Tools = Annotated[Objects, AfterValidator(tools)]


class _Request(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class Function(_Request):
    name: str


class Named(_Request):
    type: Literal["function"] = "function"
    function: Function


class StreamOptions(_Request):
    include_usage: bool | None = False


class JsonSchema(_Request):
    body: dict[str, Any] = Field(default_factory=dict, alias="schema")


class ResponseFormat(_Request):
    type: Literal["text", "json_object", "json_schema"]
    json_schema: JsonSchema | None = None


class ChatRequest(_Request):
    messages: Messages
    model: str | None = None
    tools: Tools | None = None
    tool_choice: Literal["auto", "none", "required"] | Named | None = None
    parallel_tool_calls: bool | None = True
    temperature: FiniteFloat | None = None
    top_p: FiniteFloat | None = None
    seed: Annotated[int, Field(ge=-(2**63), lt=2**63)] | None = None
    n: int | None = None
    stop: str | list[str] | None = None
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    frequency_penalty: FiniteFloat | None = None
    presence_penalty: FiniteFloat | None = None
    logit_bias: dict[str, FiniteFloat] | None = None
    ignore_eos: bool = False
    logprobs: bool | None = False
    top_logprobs: int | None = 0
    stream: bool | None = False
    stream_options: StreamOptions | None = None
    return_token_ids: bool | None = None
    response_format: ResponseFormat | None = None


class TokenizeRequest(_Request):
    messages: Messages | None = None
    tools: Tools | None = None
    prompt: str | None = None
    model: str | None = None
    add_generation_prompt: bool = True


Conversation = Sequence[Mapping[str, Any]]
