"""Engines as other people build them: the reference engine with a freedom that real servers take, and a few with one plain fault.

`STRANGER=name uvicorn rollout_server.tests.inference.strangers:create_app --factory` serves one. None of them shows token ids in the place where
vLLM does.
"""

import os
import secrets
from collections.abc import Callable, Iterator
from typing import Any

from starlette.responses import HTMLResponse, JSONResponse
from starlette.types import ASGIApp

from rollout_conformance.rollout_server.common import request_parsing, sse
from rollout_conformance.rollout_server.common.responses import json_response
from rollout_conformance.rollout_server.inference import (
    app,
    chat_completion,
    chat_stream,
    endpoints,
    errors,
    rule_based_model,
    tool_call_parser,
)
from rollout_conformance.rollout_server.inference.app import create_app as reference
from rollout_conformance.rollout_server.inference.chat_completion import ResponseContext
from rollout_conformance.rollout_server.inference.sampling import Choice
from rollout_conformance.rollout_server.mutants.framework import after, around, put
from rollout_conformance.rollout_server.tests.inference.answered_by_status import ANSWERS, Sometimes

THOUGHT = "Well."
CLOSING = "</think>\n\n"


def content_start(choice: Choice) -> int:
    """Where the content begins in the text: behind the reasoning, which may fill all of it."""
    if not choice.text.startswith("<think>"):
        return 0
    end = choice.text.find(CLOSING)
    return len(choice.text) if end < 0 else end + len(CLOSING)


def thinking(said: dict[str, Any]) -> dict[str, Any]:
    return {**said, "reasoning_content": THOUGHT}


def message(name: str) -> Callable[..., dict[str, Any]]:
    def with_reasoning(original: Any, request: Any, choice: Choice) -> dict[str, Any]:
        whole: dict[str, Any] = original(request, choice)
        start, end = content_start(choice), tool_call_parser.content_end(choice.text, choice.calls)
        content = choice.text[start : max(start, end)]
        context = choice.text[:start].removeprefix("<think>\n").removesuffix(CLOSING).strip()
        return {**whole, "content": content or (None if choice.calls else ""), name: context}

    return with_reasoning


def deltas(name: str) -> Callable[..., Iterator[dict[str, Any]]]:
    def with_reasoning(original: Any, choice: Choice, start: int, end: int) -> Iterator[dict[str, Any]]:
        content = content_start(choice)
        for delta in original(choice, start, end):
            if "content" not in delta:
                yield delta
                continue
            begin, close = len("<think>\n"), choice.text.find("\n</think>")
            close = len(choice.text) if close < 0 else close  # cut within the reasoning
            if thought := choice.text[max(start, begin) : min(end, close)] if content else "":
                yield {name: thought}
            visible = min(end, tool_call_parser.content_end(choice.text, choice.calls))
            if said := choice.text[max(start, content) : visible]:
                yield {"content": said}

    return with_reasoning


def of_content(choice: Choice) -> list[dict[str, Any]]:
    """The entries of the tokens that are content, and no others."""
    starts, at = [], 0
    for text in choice.texts:
        starts.append(at)
        at += len(text)
    first, end = content_start(choice), tool_call_parser.content_end(choice.text, choice.calls)
    pairs = zip(choice.logprobs, starts, choice.texts, strict=False)
    return [entry for entry, start, text in pairs if text and first <= start < end]


def content_logprobs(original: Any, request: Any, choice: Choice) -> dict[str, Any]:
    context: dict[str, Any] = original(request, choice)
    return {**context, "logprobs": {"content": of_content(choice)} if request.logprobs else None}


def content_logprobs_streamed(original: Any, context: ResponseContext, choice: Choice, place: int) -> dict[str, Any]:
    sampled: dict[str, Any] = original(context, choice, place)
    entry = choice.logprobs[place] if place < len(choice.logprobs) else None
    kept = [one for one in of_content(choice) if one is entry]
    return {**sampled, "logprobs": {"content": kept} if context.request.logprobs else None}


def reasoning_usage(original: Any, context: ResponseContext, choices: Any) -> dict[str, Any]:
    return {**original(context, choices), "completion_tokens_details": {"reasoning_tokens": 3 * len(choices)}}


def reason(name: str) -> None:
    after(rule_based_model, "next_message", thinking)()
    around(chat_completion, "message", message(name))()
    around(chat_stream, "deltas", deltas(name))()
    around(chat_completion, "usage", reasoning_usage)()


def reason_all() -> None:
    """Reasoning is told apart, and has logprobs like everything that was sampled."""
    reason("reasoning_content")


def reason_content() -> None:
    """Reasoning is told apart, and only the content has logprobs."""
    reason("reasoning")
    around(chat_completion, "choice_body", content_logprobs)()
    around(chat_stream, "token_fields", content_logprobs_streamed)()


def loses_reasoning() -> None:
    """The reasoning is in the whole reply, and in no chunk of a stream."""
    reason("reasoning")
    original = chat_stream.deltas

    def without(choice: Choice, start: int, end: int) -> Iterator[dict[str, Any]]:
        return (delta for delta in original(choice, start, end) if "reasoning" not in delta)

    put(chat_stream, "deltas", without)()


def azure() -> None:
    """A stream begins with a chunk that is about the prompt and names nothing."""
    original = chat_stream.opening

    def opening(context: ResponseContext, run: Any) -> Iterator[dict[str, Any]]:
        empty: dict[str, Any] = {"choices": [], "created": 0, "id": "", "model": "", "object": ""}
        yield {**empty, "prompt_filter_results": [{"prompt_index": 0, "content_filter_results": {}}]}
        yield from original(context, run)

    put(chat_stream, "opening", opening)()


def bare() -> None:
    """No member is null: what has no value is left out."""
    original = json_response
    put(endpoints, "json_response", lambda value, status=200: original(without_nulls(value), status))()
    event = sse.event
    put(chat_stream, "event", lambda value: event(without_nulls(value)))()


def without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: without_nulls(one) for name, one in value.items() if one is not None}
    return [without_nulls(one) for one in value] if isinstance(value, list) else value


def detail() -> None:
    """Errors have the form that FastAPI gives them."""
    put(app, "error_response", lambda error: JSONResponse({"detail": error.message}, error.status))()


def drops_logprobs() -> None:
    """Chunks without text lose their logprobs, and tokens that only end the turn have none."""

    def dropping(original: Any, context: ResponseContext, choice: Choice, place: int) -> dict[str, Any]:
        sampled: dict[str, Any] = original(context, choice, place)
        return sampled if choice.texts[place] else {**sampled, "logprobs": None}

    around(chat_stream, "token_fields", dropping)()


def elsewhere() -> None:
    """Token ids are members of a member of their own, as litellm gives them."""

    def moved(original: Any, request: Any, choice: Choice) -> dict[str, Any]:
        return {**original(request, choice), "provider_specific_fields": {"token_ids": [*choice.token_ids]}}

    around(chat_completion, "choice_body", moved)()


def untold_context() -> None:
    """The list of models does not show how many tokens they take, and a long conversation is taken."""
    after(
        endpoints, "models", lambda context: {**context, "data": [{"id": context["data"][0]["id"], "object": "model"}]}
    )()


def small_context() -> None:
    """The model takes few tokens, and a `max_tokens` that is more than them is rejected."""
    os.environ["ENGINE_MAX_MODEL_LEN"] = "2048"


def continues() -> None:
    """An assistant message at the end of a request is continued: a whole response has its text again, without logprobs, as that of llama.cpp."""

    def with_beginning(original: Any, request: Any, choice: Choice) -> dict[str, Any]:
        whole: dict[str, Any] = original(request, choice)
        last = request.messages[-1] if request.messages else {}
        text = last.get("content") if last.get("role") == "assistant" else None
        return {**whole, "content": text + (whole["content"] or "")} if isinstance(text, str) else whole

    around(chat_completion, "message", with_beginning)()


def other_paths() -> None:
    """Every unknown path is a page for browsers, with 200."""
    page = HTMLResponse("<p>Welcome</p>")
    unrouted = ("not_found", "method_not_allowed")
    around(app, "error_response", lambda original, error: page if error.code in unrouted else original(error))()


def cool() -> None:
    """A fault: a negative temperature is taken for 0."""
    after(request_parsing, "parse", lambda value: {**value, "temperature": 0} if _is_cold(value) else value)()


def imposes_model() -> None:
    """A proxy: whatever model a request names, the one behind it is asked for its own."""
    own = {"model": "toy"}
    after(request_parsing, "parse", lambda value: {**value, **own} if isinstance(value, dict) else value)()


def imposes_sampling() -> None:
    """A proxy with sampling parameters of its own, which replace those of every request."""
    own = {"temperature": 0.9, "top_p": 1.0, "max_tokens": 48}
    theirs = ("seed", "stop", "n", "max_completion_tokens", "logit_bias", "presence_penalty", "frequency_penalty")
    after(
        request_parsing,
        "parse",
        lambda value: {**_without(value, *theirs), **own} if isinstance(value, dict) else value,
    )()


def rejects_late_system() -> None:
    """The chat template takes one system message, in front of all others, and every request with another one is rejected."""
    after(request_parsing, "parse", _system_in_front)()


def _system_in_front(value: Any) -> Any:
    messages = value.get("messages") if isinstance(value, dict) else None
    behind = messages[1:] if isinstance(messages, list) else []
    if any(isinstance(one, dict) and one.get("role") == "system" for one in behind):
        raise errors.bad("System message must be at the beginning.", "messages")
    return value


def ignores_seed() -> None:
    """A fault: there is no seed."""
    after(request_parsing, "parse", lambda value: _without(value, "seed"))()


def ignores_stream() -> None:
    """A fault: a stream that is requested comes as a whole."""
    after(request_parsing, "parse", lambda value: _without(value, "stream", "stream_options"))()


def random() -> None:
    """A fault: whatever the temperature is, every response is sampled anew."""
    warm = {"temperature": 1.5, "top_p": 1.0}
    after(request_parsing, "parse", lambda value: value | warm if _is_greedy(value) else value)()


def _is_greedy(value: Any) -> bool:
    return isinstance(value, dict) and value.get("temperature") == 0


def no_usage() -> None:
    """No response counts tokens."""
    original = json_response
    put(endpoints, "json_response", lambda value, status=200: original(_without(value, "usage"), status))()


def _without(value: Any, *names: str) -> Any:
    return {key: one for key, one in value.items() if key not in names} if isinstance(value, dict) else value


def untold_end() -> None:
    """The end of a turn has no text where it was sampled, and has one among the alternatives."""
    original = json_response
    put(endpoints, "json_response", lambda value, status=200: original(_silent_end(value), status))()


def _silent_end(value: Any) -> Any:
    if isinstance(value, list):
        return [_silent_end(one) for one in value]
    if not isinstance(value, dict):
        return value
    whole = {name: _silent_end(one) for name, one in value.items()}
    ends = "top_logprobs" in whole and str(whole.get("token")).startswith("<|")
    return {**whole, "token": "", "bytes": None} if ends else whole


def calls_twice() -> None:
    """A demanded call is made two times: `required` and a named tool demand at least one."""
    around(rule_based_model, "forced_calls", _two_calls)()


def _two_calls(original: Any, request: Any, mode: str) -> dict[str, Any]:
    one: dict[str, Any] = original(request, mode)
    if request.parallel_tool_calls is False:
        return one
    (call, *others) = one["tool_calls"]
    return {**one, "tool_calls": [call, *others, {**call, "id": f"call_{secrets.token_hex(8)}"}]}


def _is_cold(value: Any) -> bool:
    return isinstance(value, dict) and value.get("temperature") == -1


FREEDOMS: dict[str, Callable[[], None]] = {
    one.__name__: one
    for one in (
        reason_all,
        reason_content,
        azure,
        bare,
        detail,
        drops_logprobs,
        elsewhere,
        untold_context,
        small_context,
        continues,
        loses_reasoning,
        other_paths,
        cool,
        imposes_model,
        imposes_sampling,
        rejects_late_system,
        ignores_seed,
        ignores_stream,
        random,
        no_usage,
        untold_end,
        calls_twice,
    )
}


def create_app() -> ASGIApp:
    """The engine that STRANGER names. Raises `LookupError` for a name that is none."""
    name = os.environ.get("STRANGER", "")
    if name not in {**FREEDOMS, **ANSWERS}:
        raise LookupError(f"STRANGER={name!r} names none; there are {', '.join([*FREEDOMS, *ANSWERS])}")
    put(chat_completion, "token_ids", lambda request, choice: None)()
    put(chat_completion, "prompt_ids", lambda context: None)()
    if name in FREEDOMS:
        FREEDOMS[name]()
        return reference()
    return Sometimes(reference(), *ANSWERS[name])
