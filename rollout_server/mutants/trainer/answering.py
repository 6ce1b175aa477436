"""Defects of the answers to generation calls: their shape, their tokens, whose they are."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from rollout_conformance.contracts.trainer import wire
from rollout_conformance.rollout_server.common import calculator_policy
from rollout_conformance.rollout_server.mutants.framework import CALLBACK, SYNC, after, around, put
from rollout_conformance.rollout_server.mutants.trainer.planting import method, mutant
from rollout_conformance.rollout_server.trainer import (
    chat_completion,
    endpoints,
    errors,
    prompt,
    response_mask,
    start_request,
)
from rollout_conformance.rollout_server.trainer.errors import RefusedError
from rollout_conformance.rollout_server.trainer.session import Session
from rollout_conformance.rollout_server.trainer.session_store import Book


def _no_nulls(original: Any, model: Any, body: Mapping[str, Any]) -> None:
    messages = body.get("messages")
    parts = [body, *(messages if isinstance(messages, list) else [])]
    if model is wire.ChatRequest and any(None in part.values() for part in parts if isinstance(part, dict)):
        raise RefusedError(422, "invalid_body", "null is no value")
    original(model, body)


def _knows_no_more(original: Any, model: Any, body: Mapping[str, Any]) -> None:
    if model is wire.ChatRequest and set(body) - set(wire.ChatRequest.model_fields):
        raise RefusedError(422, "invalid_body", "an unknown member")
    original(model, body)


def _choice(change: Any) -> Any:
    return after(chat_completion, "body", lambda body: {**body, "choices": [change(body["choices"][0])]})


def _without(name: str) -> Any:
    return lambda value: {key: inner for key, inner in value.items() if key != name}


def _tokens(change: Any) -> Any:
    return after(chat_completion, "tokens", change)


def _rounded(body: dict[str, Any]) -> dict[str, Any]:
    return {**body, "logprobs": body["logprobs"][:-1]}


def _nested(body: dict[str, Any]) -> dict[str, Any]:
    """As OpenAI writes them, below the choice."""
    content = [{"token": str(n), "logprob": logprob} for n, logprob in enumerate(body["logprobs"])]
    return {**body, "logprobs": {"content": content}}


def _shown(change: Any) -> Any:
    """Change the tokens that are told, and not those that are kept."""
    return around(
        chat_completion, "body", lambda original, session, made, model: original(session, change(made), model)
    )


def _half_a_prompt(made: Any) -> Any:
    return replace(made, prompt_token_ids=made.prompt_token_ids[:-2])


def _another_prompt(made: Any) -> Any:
    first, *ids = made.prompt_token_ids
    return replace(made, prompt_token_ids=(first + 1, *ids))


def _content_only(tokens: Any, messages: Any, message: dict[str, Any], tools: Any) -> str:
    return f"{message['content']}{tokens.end_of_turn}"


def _no_end(original: Any, tokens: Any, *rest: Any) -> str:
    return str(original(tokens, *rest)).removesuffix(tokens.end_of_turn)


def _find_or_open(original: Any, self: Any, rollout_id: str) -> Session:
    try:
        return original(self, rollout_id)  # type: ignore[no-any-return]
    except RefusedError:
        session = Session(rollout_id, "callback", None, [])  # type: ignore[arg-type]
        session.know([])
        self.open(session)
        return session


def _any_session(original: Any, self: Any, rollout_id: str) -> Session:
    """The one that began last, whoever asks; the key is looked for there."""
    own: Session = original(self, rollout_id)
    if own.status != "running":
        return own
    latest: Session = [*self._running.values()][-1]
    latest.key = own.key
    return latest


def _unmasked(original: Any, given: Any, lengths: Any, *, turns: int) -> None:
    if given is not None:
        original(given, lengths, turns=turns)


def _any_length(original: Any, given: Any, lengths: Any, *, turns: int) -> None:
    if given is None or not turns:
        original(given, lengths, turns=turns)


def _any_values(original: Any, model: Any, body: Mapping[str, Any]) -> None:
    given = body.get("response_mask")
    bits = {"response_mask": [0 for _ in given]} if isinstance(given, list) and given else {}
    original(model, {**body, **bits})


def _same_ids(original: Any, id: str, name: str, arguments: Any) -> dict[str, Any]:
    return {**original(id, name, arguments), "id": "call_1"}


def _objects(original: Any, id: str, name: str, arguments: Any) -> dict[str, Any]:
    return {**original(id, name, arguments), "function": {"name": name, "arguments": dict(arguments)}}


def _untyped(original: Any, *arguments: Any) -> dict[str, Any]:
    return _without("type")(original(*arguments))  # type: ignore[no-any-return]


def _few_turns(original: Any, body: dict[str, Any], *rest: Any) -> Any:
    if isinstance(body.get("max_turns"), int | float) and body["max_turns"] > 50:
        raise RefusedError(422, "invalid_body", "max_turns: too many", param="max_turns")
    return original(body, *rest)


async def _trips_over_lists(original: Any, request: Any) -> dict[str, Any]:
    try:
        return await original(request)  # type: ignore[no-any-return]
    except RefusedError as error:
        raise RuntimeError("planted") from error


async def _health_ok(self: Any, request: Any) -> Any:
    return endpoints.json_response({"status": "ok"})


MUTANTS = (
    mutant("health_ok", "300", "health says ok", put(endpoints.Health, "get", _health_ok), CALLBACK, by="fuzzing"),
    mutant(
        "few_turns", "301", "100 turns are too many", around(start_request, "read", _few_turns), CALLBACK, by="fuzzing"
    ),
    mutant(
        "trips_over_lists",
        "303",
        "a body that is a list is a 500",
        around(endpoints, "read", _trips_over_lists),
        CALLBACK,
        by="fuzzing",
    ),
    mutant(
        "refuses_nulls",
        "178",
        "a call with a null is refused",
        around(endpoints, "validate", _no_nulls),
        companions=("*",),
    ),
    mutant(
        "refuses_more", "178", "a call with an unknown member is refused", around(endpoints, "validate", _knows_no_more)
    ),
    mutant("no_reason", "179", "a choice has no finish_reason", _choice(_without("finish_reason"))),
    mutant(
        "user_reply",
        "179",
        "the reply has the role of the user",
        _choice(lambda c: {**c, "message": {**c["message"], "role": "user"}}),
        companions=("*",),
    ),
    mutant(
        "no_created", "179", "the completion does not say when", after(chat_completion, "body", _without("created"))
    ),
    mutant("short_logprobs", "180", "a logprob is missing", _tokens(_rounded), SYNC),
    mutant("nested_logprobs", "180", "logprobs stand below a member", _tokens(_nested), SYNC),
    mutant(
        "no_prompt_ids",
        "180",
        "prompt_token_ids are missing",
        _tokens(_without("prompt_token_ids")),
        SYNC,
        ("183", "189"),
    ),
    mutant("null_usage", "181", "usage is null", put(chat_completion, "usage", lambda *_: None)),
    mutant(
        "wrong_total",
        "181",
        "the total is that of the prompt",
        after(chat_completion, "usage", lambda u: {**u, "total_tokens": u["prompt_tokens"]}),
    ),
    mutant(
        "content_only",
        "182",
        "the ids leave out the tool calls",
        put(prompt, "sampled_text", _content_only),
        SYNC,
        ("178", "183", "189", "200"),
    ),
    mutant(
        "no_end_of_turn", "182", "the ids leave out the end of the turn", around(prompt, "sampled_text", _no_end), SYNC
    ),
    mutant(
        "another_prompt", "183", "the first id of the prompt is told wrong", _shown(_another_prompt), SYNC, ("189",)
    ),
    mutant("half_a_prompt", "183", "the prompt is told without its end", _shown(_half_a_prompt), SYNC, ("*",)),
    mutant(
        "opens_for_anybody",
        "184",
        "an unknown id becomes a session",
        method(Book, "find", _find_or_open),
        companions=("193",),
    ),
    mutant(
        "unknown_is_busy",
        "184",
        "an unknown id is answered 429, which asks for the call again",
        put(errors, "unknown", lambda: RefusedError(429, "unknown_rollout", "No")),
        companions=("193",),
    ),
    mutant(
        "one_session",
        "184",
        "all calls go to the rollout that began last",
        method(Book, "find", _any_session),
        companions=("*",),
    ),
    mutant("no_mask_needed", "185", "a missing mask is accepted", around(response_mask, "check", _unmasked), SYNC),
    mutant("any_length", "185", "a mask may have any length", around(response_mask, "check", _any_length), SYNC),
    mutant("any_values", "186", "a mask may have any values", around(endpoints, "validate", _any_values), SYNC),
    mutant("same_call_ids", "200", "all calls have one id", around(calculator_policy, "call", _same_ids)),
    mutant("object_arguments", "200", "arguments are an object", around(calculator_policy, "call", _objects)),
    mutant("untyped_calls", "200", "calls have no type", around(calculator_policy, "call", _untyped)),
)
