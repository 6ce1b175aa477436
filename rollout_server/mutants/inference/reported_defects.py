"""Defects that were reported of public inference servers; contracts/chat/reports.yaml names the reports."""

from dataclasses import replace
from typing import Any

from rollout_conformance.rollout_server.common.errors import ApiError
from rollout_conformance.rollout_server.inference import (
    chat_completion,
    chat_prompt,
    errors,
    request_validation,
    sampling,
)
from rollout_conformance.rollout_server.inference.chat_completion import ResponseContext
from rollout_conformance.rollout_server.inference.sampling import Choice
from rollout_conformance.rollout_server.inference.service import InferenceServer
from rollout_conformance.rollout_server.inference.settings import Settings
from rollout_conformance.rollout_server.inference.wire import ChatRequest
from rollout_conformance.rollout_server.mutants.framework import Mutant, after, around


def _certain(choice: Choice) -> Choice:
    """Each logprob is 0, those of the alternatives as well."""
    entries = tuple({**_zero(one), "top_logprobs": [*map(_zero, one["top_logprobs"])]} for one in choice.logprobs)
    return replace(choice, logprobs=entries) if entries else choice


def _zero(entry: dict[str, Any]) -> dict[str, Any]:
    return {**entry, "logprob": 0.0}


def _stripped(message: dict[str, Any]) -> dict[str, Any]:
    """In a response that is no stream the text beside calls has no white space around it."""
    text = message.get("content")
    return {**message, "content": text.strip() or None} if text and message.get("tool_calls") else message


def _auto_unread(original: Any, request: ChatRequest, choice: Choice) -> dict[str, Any]:
    """With `tool_choice` auto the calls are text where the response is no stream."""
    message: dict[str, Any] = original(request, choice)
    if request.tool_choice != "auto" or "tool_calls" not in message:
        return message
    return {name: value for name, value in message.items() if name != "tool_calls"} | {"content": choice.text}


def _nameless(original: Any, request: ChatRequest, settings: Settings) -> None:
    if any("name" in message for message in request.messages):
        raise errors.bad("Extra inputs are not permitted: name", "messages")
    original(request, settings)


def _needs_alternatives(original: Any, request: ChatRequest, settings: Settings) -> None:
    if request.logprobs and not request.top_logprobs:
        raise ApiError(500, "InternalServerError", "Internal server error")
    original(request, settings)


def _nothing_sampled(original: Any, scorer: Any, request: ChatRequest, *rest: Any) -> Choice:
    choice: Choice = original(scorer, request, *rest)
    if request.max_tokens is None:
        return choice
    begun = replace(choice, token_ids=choice.token_ids[:1], logprobs=choice.logprobs[:1], texts=("",), text="")
    return replace(begun, calls=(), finish_reason="length", stop_reason=None)


def _cut_for_the_output(original: Any, self: InferenceServer, request: ChatRequest, id: str) -> ResponseContext:
    """A prompt that does not fit beside max_tokens loses its beginning."""
    prompt = chat_prompt.chat_ids(self.tokenizer, request)
    room = self.settings.max_model_len - (request.max_completion_tokens or request.max_tokens or 0)
    if not 0 < room < len(prompt) <= self.settings.max_model_len:
        context: ResponseContext = original(self, request, id)
        return context
    request_validation.check(request, self.settings)
    return ResponseContext(id, self.settings.model, request, tuple(prompt[-room:]))


MUTANTS = (
    Mutant(
        "logprobs_all_zero",
        breaks="066",
        also=("068",),
        what="every logprob is 0",
        patch=after(sampling, "sample", _certain),
    ),
    Mutant(
        "text_beside_calls_stripped",
        breaks="050",
        what="the text beside calls has white space around it in streams only",
        patch=after(chat_completion, "message", _stripped),
    ),
    Mutant(
        "auto_calls_unread",
        breaks="050",
        also=("038",),
        what="with tool_choice auto the calls of a response that is no stream are left in its text",
        patch=around(chat_completion, "message", _auto_unread),
    ),
    Mutant(
        "names_rejected",
        breaks="301",
        what="a message with a name is rejected",
        patch=around(request_validation, "check", _nameless),
    ),
    Mutant(
        "logprobs_need_alternatives",
        breaks="303",
        also=("*",),
        what="logprobs without top_logprobs are a server error",
        patch=around(request_validation, "check", _needs_alternatives),
    ),
    Mutant(
        "nothing_under_max_tokens",
        breaks="034",
        also=("*",),
        what="a response is empty where the request has max_tokens",
        patch=around(sampling, "sample", _nothing_sampled),
    ),
    Mutant(
        "prompt_cut_for_the_output",
        breaks="013",
        also=("012", "025"),
        what="a prompt that does not fit beside max_tokens loses its beginning",
        patch=around(InferenceServer, "context", _cut_for_the_output),
    ),
)
