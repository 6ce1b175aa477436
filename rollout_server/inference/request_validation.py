"""Which well-formed requests are rejected. The messages are those of vLLM."""

from collections.abc import Iterator
from typing import Any

import jsonschema_rs

from rollout_conformance.contracts.chat.wire import HOTTEST, MOST_TOP_LOGPROBS
from rollout_conformance.rollout_server.common.errors import ApiError
from rollout_conformance.rollout_server.inference import chat_prompt, errors, sampling
from rollout_conformance.rollout_server.inference.settings import Settings
from rollout_conformance.rollout_server.inference.wire import ChatRequest, Named

DRAFT = "https://json-schema.org/draft/2020-12/schema"  # whichever draft a client names: no schema is fetched
MOST_PENALTY, MOST_DIGITS = 2, 9
MOST_CHOICES = 128  # OpenAI's limit of `n`


def check(request: ChatRequest, settings: Settings) -> None:
    """Raises `ApiError` for the first problem."""
    check_model(request.model, settings)
    for problem in problems(request, settings):
        raise problem


def check_model(name: str | None, settings: Settings) -> None:
    if name and name != settings.model:
        raise errors.unknown_model(name, settings.model)


def problems(request: ChatRequest, settings: Settings) -> Iterator[ApiError]:
    yield from sampling_problems(request)
    yield from length_problems(request, settings)
    yield from output_problems(request)
    yield from tool_problems(request)
    yield from schema_problems(request)


def sampling_problems(request: ChatRequest) -> Iterator[ApiError]:
    if request.temperature is not None and request.temperature < 0:
        yield errors.bad(f"temperature must be non-negative, got {request.temperature}.", "temperature")
    if request.temperature is not None and request.temperature > HOTTEST:
        yield errors.bad(f"temperature must be in [0, {HOTTEST:g}], got {request.temperature}.", "temperature")
    if request.top_p is not None and not 0 < request.top_p <= 1:
        yield errors.bad(f"top_p must be in (0, 1], got {request.top_p}.", "top_p")
    yield from weight_problems(request)
    if request.n is not None and request.n < 1:
        yield errors.bad(f"n must be at least 1, got {request.n}.", "n")
    if request.n is not None and request.n > MOST_CHOICES:
        yield errors.bad(f"n must be at most {MOST_CHOICES}, got {request.n}.", "n")
    if (request.n or 1) > 1 and sampling.is_greedy(request):
        yield errors.bad(f"n must be 1 when using greedy sampling, got {request.n}.", "n")


def weight_problems(request: ChatRequest) -> Iterator[ApiError]:
    for name in ("frequency_penalty", "presence_penalty"):
        value = getattr(request, name)
        if value is not None and abs(value) > MOST_PENALTY:
            yield errors.bad(f"{name} must be in [-2, 2], got {value}.", name)
    if not all(id.isascii() and id.isdigit() and len(id) <= MOST_DIGITS for id in request.logit_bias or ()):
        yield errors.bad("The keys of logit_bias must be token ids.", "logit_bias")


def length_problems(request: ChatRequest, settings: Settings) -> Iterator[ApiError]:
    for name in ("max_tokens", "max_completion_tokens"):
        most = getattr(request, name)
        if most is not None and most < 1:
            yield errors.bad(f"{name} must be at least 1, got {most}.", name)
        if most is not None and most > settings.max_model_len:
            sentence = f"{name}={most} cannot be greater than max_model_len={settings.max_model_len}."
            yield errors.bad(sentence, name)


def output_problems(request: ChatRequest) -> Iterator[ApiError]:
    if not 0 <= (request.top_logprobs or 0) <= MOST_TOP_LOGPROBS:
        sentence = f"top_logprobs must be between 0 and {MOST_TOP_LOGPROBS}, got {request.top_logprobs}."
        yield errors.bad(sentence, "top_logprobs")
    if request.top_logprobs and not request.logprobs:
        yield errors.bad("when using `top_logprobs`, `logprobs` must be set to true.", "top_logprobs")
    if request.stream_options is not None and not request.stream:
        yield errors.bad("Stream options can only be defined when `stream=True`.", "stream_options")


def tool_problems(request: ChatRequest) -> Iterator[ApiError]:
    choice = request.tool_choice
    if request.tools == []:
        yield errors.bad("tools must not be an empty list.", "tools")
    if choice not in (None, "none") and not request.tools:
        yield errors.bad("When using `tool_choice`, `tools` must be set.", "tool_choice")
    if isinstance(choice, Named) and choice.function.name not in names(request):
        sentence = f"The tool specified in `tool_choice` ({choice.function.name}) does not match any of `tools`."
        yield errors.bad(sentence, "tool_choice")


def schema_problems(request: ChatRequest) -> Iterator[ApiError]:
    """The schema of `response_format`, and the `parameters` of tools where a call is forced, must be valid JSON Schemas."""
    form = request.response_format
    if form is not None and form.json_schema is not None and not is_schema(form.json_schema.body):
        yield errors.bad("The schema of `response_format` is not a JSON Schema.", "response_format")
    forced_calls = request.tools if chat_prompt.mode(request) in ("required", "named") else None
    if not all(is_schema(tool["function"].get("parameters") or {}) for tool in forced_calls or ()):
        yield errors.bad("The `parameters` of a tool are not a JSON Schema.", "tools")


def is_schema(value: Any) -> bool:
    return isinstance(value, dict) and jsonschema_rs.meta.is_valid({**value, "$schema": DRAFT})


def names(request: ChatRequest) -> set[str]:
    return {tool["function"]["name"] for tool in request.tools or ()}


def check_length(prompt: int, request: ChatRequest, settings: Settings) -> None:
    """The prompt and the reply must fit into the context (`max_model_len`). Raises `ApiError` 400."""
    requested = request.max_completion_tokens or request.max_tokens or 0
    if prompt + max(requested, 1) > settings.max_model_len:
        raise errors.overflow(settings.max_model_len, prompt, requested)
