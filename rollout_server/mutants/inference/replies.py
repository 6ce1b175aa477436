"""Defects of the content and ids of replies."""

from typing import Any

from rollout_conformance.rollout_server.common import calculator_policy
from rollout_conformance.rollout_server.inference import (
    chat_completion,
    endpoints,
    rule_based_model,
)
from rollout_conformance.rollout_server.inference.wire import ChatRequest
from rollout_conformance.rollout_server.mutants.framework import Mutant, after, around, put


def _wrong_capital(said: dict[str, Any]) -> dict[str, Any]:
    return {**said, "content": str(said.get("content") or "").replace("Paris", "Lyon") or None}


def _first_heard(original: Any, request: ChatRequest, words: str) -> dict[str, Any]:
    """A cache without callers: an earlier message is repeated to another caller."""
    question = rule_based_model.last_question(request)
    if question.startswith("Repeat after me:"):
        _heard.append(question)
        return calculator_policy.assistant_message(
            next((other for other in reversed(_heard) if other != question), question)
        )
    return dict(original(request, words))


_heard: list[str] = []


def _nameless(body: dict[str, Any]) -> dict[str, Any]:
    return {**body, "id": None}


MUTANTS = (
    Mutant("nameless", breaks="002", what="the reply has no id", patch=after(chat_completion, "body", _nameless)),
    Mutant(
        "one_id",
        breaks="009",
        what="all replies have one id",
        patch=put(endpoints, "response_id", lambda request: "chatcmpl-1"),
    ),
    Mutant(
        "geography",
        breaks="060",
        what="the capital of France is Lyon",
        patch=after(rule_based_model, "reply_to_question", _wrong_capital),
    ),
    Mutant(
        "leaky_cache",
        breaks="061",
        also=("055",),
        what="a caller gets the reply of another",
        patch=around(rule_based_model, "next_message", _first_heard),
    ),
)
