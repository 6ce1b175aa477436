"""Defects of what is told about a reply: its tokens, their log probabilities, the counts, the calls."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from rollout_conformance.rollout_server.inference import (
    chat_completion,
    chat_stream,
    endpoints,
    sampling,
    tool_call_parser,
)
from rollout_conformance.rollout_server.inference.chat_completion import Told
from rollout_conformance.rollout_server.inference.sampling import Choice
from rollout_conformance.rollout_server.inference.tool_call_parser import Call
from rollout_conformance.rollout_server.inference.wire import ChatRequest
from rollout_conformance.rollout_server.mutants.framework import after, around, put
from rollout_conformance.rollout_server.mutants.inference.planting import compact, every, mutant

Entries = tuple[dict[str, Any], ...]


def _logprobs(change: Callable[[Entries], Entries]) -> Callable[[], None]:
    def told(choice: Choice) -> Choice:
        return replace(choice, logprobs=change(choice.logprobs)) if choice.logprobs else choice

    return after(sampling, "sample", told)


def _positive(entries: Entries) -> Entries:
    """Only the first one: log(1.25) instead of log(0.8) or so."""
    first, *rest = entries
    top = [{**one, "logprob": 0.25} if one["token"] == first["token"] else one for one in first["top_logprobs"]]
    return ({**first, "logprob": 0.25, "top_logprobs": top}, *rest)


def _usage(change: Callable[[dict[str, Any]], dict[str, Any]]) -> Callable[[], None]:
    return after(chat_completion, "usage", lambda usage: {**usage, **change(usage)})


def _less_prompt(usage: dict[str, Any]) -> dict[str, Any]:
    """Without the opening of the turn of the assistant."""
    return {"prompt_tokens": usage["prompt_tokens"] - 3, "total_tokens": usage["total_tokens"] - 3}


def _has_end(choice: Choice) -> bool:
    return choice.finish_reason != "length" and choice.stop_reason is None


def _no_ends(original: Any, told: Told, choices: Sequence[Choice]) -> dict[str, Any]:
    usage: dict[str, Any] = original(told, choices)
    ends = sum(_has_end(choice) for choice in choices)
    less = {name: usage[name] - ends for name in ("completion_tokens", "total_tokens")}
    return {**usage, **less}


def _drops_end(original: Any, request: ChatRequest, choice: Choice) -> Any:
    ids = original(request, choice)
    return ids[:-1] if ids and _has_end(choice) else ids


def _spaced(original: Any, tokens: Any, text: str) -> Any:
    return original(tokens, f" {text}")


def _unspaced(texts: Any) -> list[str]:
    first, *rest = texts
    return [first.removeprefix(" "), *rest]


def _compact_stream(original: Any, choice: Choice, start: int, end: int) -> Any:
    """Fragments of arguments without blanks, so that they add up to the compact text."""
    for delta in original(choice, start, end):
        for call in delta.get("tool_calls", ()):
            if "arguments" in call["function"]:
                call["function"]["arguments"] = call["function"]["arguments"].replace(" ", "")
        yield delta


def _compact(call: Call) -> str:
    return str(compact(call.arguments))


def _polished(message: dict[str, Any]) -> dict[str, Any]:
    content = message.get("content")
    return {**message, "content": f"{content} !"} if content else message


def _nameless(body: dict[str, Any]) -> dict[str, Any]:
    return {**body, "id": None}


def _calls_nameless(message: dict[str, Any]) -> dict[str, Any]:
    calls = message.get("tool_calls")
    return {**message, "tool_calls": [{**call, "id": None} for call in calls]} if calls else message


MUTANTS = (
    mutant(
        "usage_sum_wrong",
        "total_tokens is not the sum",
        _usage(lambda usage: {"total_tokens": usage["total_tokens"] + 1}),
        requirement="010",
    ),
    mutant(
        "completion_tokens_short",
        "the end token is not counted",
        around(chat_completion, "usage", _no_ends),
        requirement="011",
    ),
    mutant(
        "prompt_tokens_wrong", "prompt_tokens counts fewer than the prompt has", _usage(_less_prompt), requirement="012"
    ),
    mutant(
        "logprobs_short",
        "one entry fewer than there are tokens",
        _logprobs(lambda entries: entries[:-1]),
        requirement="023",
    ),
    mutant(
        "logprobs_shifted",
        "entry k is of token k+1",
        _logprobs(lambda entries: (*entries[1:], entries[0])),
        requirement="023",
    ),
    mutant("logprob_positive", "a probability above 1", _logprobs(_positive), requirement="024"),
    mutant(
        "end_token_dropped",
        "token_ids lack the end of the turn",
        around(chat_completion, "token_ids", _drops_end),
        requirement="020",
        companions=("011", "023"),
    ),
    mutant(
        "ids_retokenized",
        "token_ids are of the content encoded anew, with a space in front",
        every(around(sampling, "encoded", _spaced), after(sampling, "pieces", _unspaced)),
        requirement="026",
    ),
    mutant(
        "content_polished",
        "the content ends with an exclamation mark",
        after(chat_completion, "message", _polished),
        requirement="021",
        companions=("050", "060", "026", "025", "033", "044", "045"),
    ),
    mutant("one_id", "all replies have one id", put(endpoints, "answer_id", lambda request: "chatcmpl-1"), "009"),
    mutant("nameless", "the reply has no id", after(chat_completion, "body", _nameless), requirement="002"),
    mutant(
        "calls_nameless",
        "tool calls have no id",
        after(chat_completion, "message", _calls_nameless),
        requirement="040",
        companions=("026", "020", "042", "043"),
    ),
    mutant(
        "token_ids_dropped",
        "token_ids are null although asked for",
        put(chat_completion, "token_ids", lambda *_: None),
        requirement="020",
    ),
    mutant(
        "arguments_reserialized",
        "the arguments of a call are written anew",
        every(put(tool_call_parser, "arguments", _compact), around(chat_stream, "deltas", _compact_stream)),
        requirement="022",
        companions=("025", "026"),
    ),
)
