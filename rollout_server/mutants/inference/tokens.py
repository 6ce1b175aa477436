"""Defects of token ids, logprobs and usage."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from rollout_conformance.rollout_server.common.chat_tokenizer import ChatTokenizer
from rollout_conformance.rollout_server.inference import (
    chat_completion,
    chat_stream,
    fake_logprobs,
    sampling,
    tool_call_parser,
)
from rollout_conformance.rollout_server.inference.chat_completion import ResponseContext
from rollout_conformance.rollout_server.inference.sampling import Choice
from rollout_conformance.rollout_server.inference.tool_call_parser import Call
from rollout_conformance.rollout_server.inference.wire import ChatRequest
from rollout_conformance.rollout_server.mutants.framework import Mutant, after, around, every, put
from rollout_conformance.rollout_server.mutants.inference.patches import compact

Entries = tuple[dict[str, Any], ...]


def _logprobs(change: Callable[[Entries], Entries]) -> Callable[[], None]:
    def context(choice: Choice) -> Choice:
        return replace(choice, logprobs=change(choice.logprobs)) if choice.logprobs else choice

    return after(sampling, "sample", context)


def _positive(entries: Entries) -> Entries:
    """The first entry is log(1.25)."""
    first, *rest = entries
    top = [{**one, "logprob": 0.25} if one["token"] == first["token"] else one for one in first["top_logprobs"]]
    return ({**first, "logprob": 0.25, "top_logprobs": top}, *rest)


def _halved(entries: Entries) -> Entries:
    """Divided by a temperature of 2 after the softmax: no probabilities any more."""
    return tuple({**_half(entry), "top_logprobs": [_half(one) for one in entry["top_logprobs"]]} for entry in entries)


def _half(entry: dict[str, Any]) -> dict[str, Any]:
    return {**entry, "logprob": entry["logprob"] / 2}


def _usage(change: Callable[[dict[str, Any]], dict[str, Any]]) -> Callable[[], None]:
    return after(chat_completion, "usage", lambda usage: {**usage, **change(usage)})


def _less_prompt(usage: dict[str, Any]) -> dict[str, Any]:
    """Without the tokens that open the assistant's turn."""
    return {"prompt_tokens": usage["prompt_tokens"] - 3, "total_tokens": usage["total_tokens"] - 3}


def _has_end(choice: Choice) -> bool:
    return choice.finish_reason != "length" and choice.stop_reason is None


def _no_ends(original: Any, context: ResponseContext, choices: Sequence[Choice]) -> dict[str, Any]:
    usage: dict[str, Any] = original(context, choices)
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
    """Fragments of arguments without spaces, so that they join to the compact text."""
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


def _with_end(original: Any, tokens: ChatTokenizer, ids: Sequence[int]) -> list[str]:
    """The token that ends the turn is decoded like any other."""
    (end,) = tokens.encode(tokens.end_of_turn)
    return [tokens.end_of_turn if id == end else text for id, text in zip(ids, original(tokens, ids), strict=True)]


MUTANTS = (
    Mutant(
        "logprobs_halved",
        breaks="066",
        what="logprobs are divided by 2 after the softmax",
        patch=_logprobs(_halved),
    ),
    Mutant(
        "usage_sum_wrong",
        breaks="010",
        what="total_tokens is not the sum",
        patch=_usage(lambda usage: {"total_tokens": usage["total_tokens"] + 1}),
    ),
    Mutant(
        "completion_tokens_short",
        breaks="011",
        what="the end token is not counted",
        patch=around(chat_completion, "usage", _no_ends),
    ),
    Mutant(
        "prompt_tokens_wrong",
        breaks="012",
        what="prompt_tokens counts fewer than the prompt has",
        patch=_usage(_less_prompt),
    ),
    Mutant(
        "end_token_dropped",
        breaks="020",
        also=("011", "023"),
        what="token_ids lack the end of the turn",
        patch=around(chat_completion, "token_ids", _drops_end),
    ),
    Mutant(
        "token_ids_dropped",
        breaks="020",
        what="token_ids are null although asked for",
        patch=put(chat_completion, "token_ids", lambda *_: None),
    ),
    Mutant(
        "content_polished",
        breaks="021",
        also=("050", "060", "026", "025", "033", "044", "045"),
        what="the content ends with an exclamation mark",
        patch=after(chat_completion, "message", _polished),
    ),
    Mutant(
        "end_token_in_content",
        breaks="070",
        also=("025", "026", "033", "044", "045", "060"),
        what="the content ends with the text of the end-of-turn token",
        patch=around(sampling, "token_texts", _with_end),
    ),
    Mutant(
        "arguments_reserialized",
        breaks="022",
        also=("025", "026", "050"),
        what="the arguments of a call are serialized again",
        patch=every(put(tool_call_parser, "arguments", _compact), around(chat_stream, "deltas", _compact_stream)),
    ),
    Mutant(
        "logprobs_short",
        breaks="023",
        what="one entry fewer than there are tokens",
        patch=_logprobs(lambda entries: entries[:-1]),
    ),
    Mutant(
        "logprobs_shifted",
        breaks="023",
        what="entry k is of token k+1",
        patch=_logprobs(lambda entries: (*entries[1:], entries[0])),
    ),
    Mutant(
        "logprob_bytes_replaced",
        breaks="023",
        what="the bytes of a token within a character are those of U+FFFD",
        patch=after(fake_logprobs, "token_bytes", lambda given: given.decode("utf-8", "replace").encode()),
    ),
    Mutant("logprob_positive", breaks="024", what="a probability above 1", patch=_logprobs(_positive)),
    Mutant(
        "ids_retokenized",
        breaks="026",
        what="token_ids are a new encoding of the content, with a leading space",
        patch=every(around(sampling, "encode_turn", _spaced), after(sampling, "token_texts", _unspaced)),
    ),
)
