"""Every generation that was answered: its members, what it counts, where it ends, its tool calls."""

import json
from collections.abc import Iterator, Sequence
from typing import Any

from rollout_conformance.steps.engine.findings import Evidence, Finding
from rollout_conformance.steps.engine.json_diff import show
from rollout_conformance.steps.engine.lenient_json import listed, mapping, mappings
from rollout_conformance.steps.engine.trace import NotJson, parse
from rollout_conformance.steps.peers.end_of_turn_texts import are_requested, left_in
from rollout_conformance.steps.profiles.trainer.invariants.evidence import broken, satisfied
from rollout_conformance.steps.profiles.trainer.invariants.generation_tokens import generation_tokens, is_integer
from rollout_conformance.steps.profiles.trainer.state import Call, CaseView, JsonObject, sound
from rollout_conformance.steps.profiles.trainer.truncation import (
    choice,
    finished,
    nothing_sampled,
    stopped,
    within_max_tokens,
)


def replies(view: CaseView) -> Iterator[Evidence]:
    """The shape of every generation that was answered, and its tokens."""
    for rollout in view.rollouts.values():
        earlier: list[tuple[list[Any], list[int]]] = []
        for call, body in view.replies(rollout):
            messages = listed(call.body.get("messages"))
            past = _past(earlier, messages)
            earlier.append(([*messages, mapping(choice(body)).get("message")], _ids(body)))
            shaped = list(_shape(call, body))
            yield from shaped
            if any(isinstance(item, Finding) for item in shaped):
                continue
            limited = [*nothing_sampled(view, call, body), *within_max_tokens(view, call, body)]
            if limited:
                yield from limited
                continue
            yield from stopped(call, body)
            yield from _end_of_turn(call, body)
            yield from _usage(view, call, body)
            yield from _calls(call, body)
            if view.shows_tokens and sound(body["choices"][0]["message"]):
                found = list(generation_tokens(view, rollout, call, body, past))
                yield from found
                yield from () if any(isinstance(item, Finding) for item in found) else _counts(call, body)


def _past(earlier: Sequence[tuple[list[Any], list[int]]], messages: list[Any]) -> list[int]:
    """The tokens of the last generation that these messages continue; none where they continue none."""
    return next((ids for known, ids in reversed(earlier) if messages[: len(known)] == known), [])


def _ids(body: JsonObject) -> list[int]:
    """The prompt of a generation and what was sampled after it."""
    ids = [*listed(body.get("prompt_token_ids")), *listed(body.get("token_ids"))]
    return [one for one in ids if isinstance(one, int)]


def _shape(call: Call, body: JsonObject) -> Iterator[Evidence]:
    choices = body.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices and isinstance(choices[0], dict) else {}
    message = choice.get("message")
    for ok, expected, observed in (
        (isinstance(body.get("id"), str) and body["id"], "a text as id", f"id: {show(body.get('id'))}"),
        (is_integer(body.get("created")), "an integer as created", f"created: {show(body.get('created'))}"),
        (
            isinstance(message, dict) and message.get("role") == "assistant",
            "an assistant message in choices[0]",
            show(choice),
        ),
        (
            isinstance(choice.get("finish_reason"), str),
            "a finish_reason",
            f"finish_reason: {show(choice.get('finish_reason'))}",
        ),
    ):
        yield satisfied(179) if ok else broken(179, expected, observed, call.n)


def _usage(view: CaseView, call: Call, body: JsonObject) -> Iterator[Evidence]:
    usage = body.get("usage")
    if usage is None and "usage" not in body and view.dialect == "sync":
        return
    if not isinstance(usage, dict):
        yield broken(181, "usage with its three sums", f"usage: {show(usage)}", call.n)
        return
    prompt, sampled, total = (usage.get(f"{name}_tokens") for name in ("prompt", "completion", "total"))
    if not all(is_integer(value) for value in (prompt, sampled, total)) or prompt + sampled != total:  # type: ignore[operator]
        yield broken(181, "total_tokens = prompt_tokens + completion_tokens", f"usage: {show(usage)}", call.n)
    else:
        yield satisfied(181)


def _end_of_turn(call: Call, body: JsonObject) -> Iterator[Evidence]:
    """The text of the end-of-turn token belongs to the token ids, and not to the message."""
    content = mapping(choice(body).get("message")).get("content")
    if not isinstance(content, str) or not finished(body) or are_requested(call.body):
        return
    if left_in(content, json.dumps(call.body, ensure_ascii=False, default=str)):
        yield broken(312, "a content without the text of the end-of-turn token", show(content[-60:]), call.n)
    else:
        yield satisfied(312)


def _counts(call: Call, body: JsonObject) -> Iterator[Evidence]:
    """`usage` compared with the ids; some leave out the end of the turn."""
    usage = mapping(body.get("usage"))
    for name, ids in (("prompt_tokens", "prompt_token_ids"), ("completion_tokens", "token_ids")):
        said, number = usage.get(name), len(listed(body.get(ids)))
        if isinstance(said, int) and abs(said - number) > 1:
            yield broken(181, f"{name} of {number}, as {ids} shows", f"{name}: {said}", call.n)


def _calls(call: Call, body: JsonObject) -> Iterator[Evidence]:
    known = {show(c.get("id")) for m in call.body["messages"] for c in mappings(mapping(m).get("tool_calls"))}
    message = body["choices"][0]["message"]
    calls = message.get("tool_calls") or []
    cut = body["choices"][0].get("finish_reason") == "length"  # then the last call ends where the tokens did
    for k, made in enumerate(calls if isinstance(calls, list) else [calls], 1):
        function = made.get("function") if isinstance(made, dict) else None
        arguments = function.get("arguments") if isinstance(function, dict) else None
        name = made.get("id") if isinstance(made, dict) else None
        good = isinstance(name, str) and bool(name) and made.get("type") == "function" and isinstance(arguments, str)
        value = parse(arguments.encode("utf-8", "replace")) if isinstance(arguments, str) else NotJson("no string")
        truncated = cut and isinstance(calls, list) and k == len(calls) and isinstance(value, NotJson)
        if not good or not (truncated or isinstance(value, dict)):
            yield broken(
                200, "an id, type function, and arguments that are a text with a JSON object", show(made), call.n
            )
        elif show(name) in known:
            yield broken(200, "an id that is unique in the conversation", f"id {show(name)} once more", call.n)
        else:
            yield satisfied(200)
        known.add(show(name))
