"""A backend with OpenAI's chat API that also returns token ids, such as vLLM (`return_token_ids`, `logprobs`).

Missing values are not invented: without an id and a logprob for every sampled token the result is a 502 that names the
option to enable.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from rollout_conformance.contracts.rollout.wire import Message, Number, Text, TokenIds
from rollout_conformance.rollout_server.common.chat_tokenizer import ChatTokenizer
from rollout_conformance.rollout_server.common.errors import ApiError
from rollout_conformance.rollout_server.common.http_client import HttpResponse, NoResponseError
from rollout_conformance.rollout_server.trainer import errors
from rollout_conformance.rollout_server.trainer.backend import Generation, GenerationTask
from rollout_conformance.rollout_server.trainer.http_client import Client, OutgoingRequest

# Members of a generation request that the trainer sets itself. All others, such as `seed`, are passed on.
OWN_MEMBERS = (
    "messages",
    "rollout_id",
    "response_mask",
    "model",
    "stream",
    "n",
    "tools",
    "logprobs",
    "return_token_ids",
)
NO_IDS = (
    "The backend returned no token ids; it must be a vLLM of 0.10.2 or later, which has return_token_ids, "
    "without a proxy that drops unknown members"
)
NO_LOGPROBS = (
    "The backend did not return one logprob for each token; it must allow logprobs (vLLM: --max-logprobs above 0)"
)


class _Lenient(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class Sampled(_Lenient):
    logprob: Number


class Logprobs(_Lenient):
    content: list[Sampled] | None = None


class Choice(_Lenient):
    message: Message
    finish_reason: Text | None = None
    token_ids: TokenIds | None = None
    logprobs: Logprobs | None = None


class Completion(_Lenient):
    choices: list[Choice]
    prompt_token_ids: TokenIds | None = None


class OpenAiBackend:
    """`url` is the base URL, with or without `/v1`. `timeout_s` is for one generation, in seconds."""

    def __init__(
        self, client: Client, tokens: ChatTokenizer, url: str, key: str | None, model: str, timeout_s: float
    ) -> None:
        self._client = client
        self._tokens = tokens
        self._url = url.removesuffix("/v1") + "/v1/chat/completions"
        self._key = key
        self._model = model
        self._timeout_s = timeout_s

    async def generate(self, task: GenerationTask) -> Generation:
        request = OutgoingRequest("POST", self._url, body(task, self._model), self._key)
        try:
            response = await self._client.send(request, self._timeout_s)
        except NoResponseError as error:
            raise no_response(error) from error
        raw = success_body(response)
        return read(raw, task, self._tokens)


def body(task: GenerationTask, model: str) -> dict[str, Any]:
    sampling = {name: value for name, value in task.sampling.items() if name not in OWN_MEMBERS and value is not None}
    tools = {"tools": list(task.tools)} if task.tools else {}
    ours = {"model": model, "messages": list(task.messages), "logprobs": True, "return_token_ids": True}
    return sampling | tools | ours


def no_response(error: NoResponseError) -> ApiError:
    if error.reason == "timeout":
        return errors.backend(504, "backend_timeout", "The backend did not answer in time")
    if error.reason == "too_long":
        return errors.backend(502, "backend_reply", "The response of the backend is too long")
    return errors.backend(503, "backend_unreachable", "The backend cannot be reached")


def success_body(response: HttpResponse) -> Any:
    """The body of a 200. Raises `ApiError`: 503 when the backend is busy, which is temporary, else 502."""
    if response.status in (429, 503):
        raise errors.backend(503, "backend_busy", f"The backend is busy (HTTP {response.status})")
    if response.status != 200:
        raise errors.backend(502, "backend_error", f"The backend did not generate (HTTP {response.status})")
    return response.json()


def read(raw: Any, task: GenerationTask, tokens: ChatTokenizer) -> Generation:
    """Raises `ApiError` 502 for a reply that lacks anything."""
    try:
        choice, prompt_ids = first_choice(Completion.model_validate(raw))
    except ValidationError as error:
        raise errors.backend(502, "backend_reply", "The response of the backend is not a chat completion") from error
    if not choice.token_ids or prompt_ids is None:
        raise errors.backend(502, "backend_without_ids", NO_IDS)
    logprobs = [entry.logprob for entry in (choice.logprobs and choice.logprobs.content) or ()]
    if len(logprobs) != len(choice.token_ids):
        raise errors.backend(502, "backend_without_logprobs", NO_LOGPROBS)
    return Generation(
        message=message(raw["choices"][0]["message"], task),
        finish_reason=choice.finish_reason or "stop",
        prompt_token_ids=tuple(prompt_ids),
        token_ids=tuple(choice.token_ids),
        logprobs=tuple(logprobs),
        text=tokens.decode(choice.token_ids),
    )


def first_choice(completion: Completion) -> tuple[Choice, Sequence[int] | None]:
    if not completion.choices or completion.choices[0].message.role != "assistant":
        raise errors.backend(502, "backend_reply", "The response of the backend has no assistant message")
    return completion.choices[0], completion.prompt_token_ids


def message(raw: Mapping[str, Any], task: GenerationTask) -> dict[str, Any]:
    """The message without null members, and with unique ids of tool calls."""
    kept = {name: value for name, value in raw.items() if value is not None}
    used = {call["id"] for m in task.messages for call in m.get("tool_calls") or ()}
    calls = []
    for n, call in enumerate(kept.pop("tool_calls", [])):
        name = call["id"] if call["id"] not in used else f"call_{task.turn}_{n}_{call['id']}"[:256]
        used.add(name)
        calls.append({**call, "id": name, "type": "function", "function": function(call["function"])})
    return {"content": None, **kept} | ({"tool_calls": calls} if calls else {})


def function(raw: Mapping[str, Any]) -> dict[str, Any]:
    """Some backends return the arguments as an object; in OpenAI's API they are a string."""
    arguments = raw["arguments"]
    return {**raw, "arguments": arguments if isinstance(arguments, str) else json.dumps(arguments)}
