"""Defects of the form of replies to generation requests."""

from typing import Any

from rollout_conformance.rollout_server.common import calculator_policy
from rollout_conformance.rollout_server.mutants.framework import Mutant, after, around, put
from rollout_conformance.rollout_server.mutants.trainer.patches import without
from rollout_conformance.rollout_server.trainer import (
    chat_completion,
)


def _choice(change: Any) -> Any:
    return after(chat_completion, "body", lambda body: {**body, "choices": [change(body["choices"][0])]})


def _same_ids(original: Any, id: str, name: str, arguments: Any) -> dict[str, Any]:
    return {**original(id, name, arguments), "id": "call_1"}


def _objects(original: Any, id: str, name: str, arguments: Any) -> dict[str, Any]:
    return {**original(id, name, arguments), "function": {"name": name, "arguments": dict(arguments)}}


def _untyped(original: Any, *arguments: Any) -> dict[str, Any]:
    return without("type")(original(*arguments))  # type: ignore[no-any-return]


def _with_end(choice: dict[str, Any]) -> dict[str, Any]:
    """The token that ends the turn is decoded like any other."""
    message = choice["message"]
    ended = choice["finish_reason"] == "stop" and message.get("content")
    return {**choice, "message": {**message, "content": f"{message['content']}<|im_end|>"}} if ended else choice


MUTANTS = (
    Mutant("no_reason", breaks="179", what="a choice has no finish_reason", patch=_choice(without("finish_reason"))),
    Mutant(
        "end_token_in_content",
        breaks="312",
        also=("310",),
        what="the content ends with the text of the end-of-turn token",
        patch=_choice(_with_end),
    ),
    Mutant(
        "user_reply",
        breaks="179",
        also=("*",),
        what="the reply has the role of the user",
        patch=_choice(lambda c: {**c, "message": {**c["message"], "role": "user"}}),
    ),
    Mutant(
        "no_created",
        breaks="179",
        what="the completion has no created",
        patch=after(chat_completion, "body", without("created")),
    ),
    Mutant("null_usage", breaks="181", what="usage is null", patch=put(chat_completion, "usage", lambda *_: None)),
    Mutant(
        "wrong_total",
        breaks="181",
        what="total_tokens is prompt_tokens",
        patch=after(chat_completion, "usage", lambda u: {**u, "total_tokens": u["prompt_tokens"]}),
    ),
    Mutant(
        "same_call_ids", breaks="200", what="all calls have one id", patch=around(calculator_policy, "call", _same_ids)
    ),
    Mutant(
        "object_arguments",
        breaks="200",
        what="arguments are an object",
        patch=around(calculator_policy, "call", _objects),
    ),
    Mutant("untyped_calls", breaks="200", what="calls have no type", patch=around(calculator_policy, "call", _untyped)),
)
