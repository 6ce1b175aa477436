"""Defects of what is sampled: members of the request that change nothing, and greedy decoding that is left to chance."""

import asyncio
import json
from typing import Any

from rollout_conformance.rollout_server.common import calculator_policy
from rollout_conformance.rollout_server.inference import (
    chat_completion,
    chat_prompt,
    fake_logprobs,
    rule_based_model,
    sampling,
)
from rollout_conformance.rollout_server.inference.generation import Run
from rollout_conformance.rollout_server.inference.wire import ChatRequest
from rollout_conformance.rollout_server.mutants.framework import after, around, put
from rollout_conformance.rollout_server.mutants.inference.planting import another, deaf, mutant


def _never(mode: str) -> Any:
    """A `tool_choice` that is taken for `auto`."""

    def change(original: Any, request: ChatRequest) -> str:
        found = str(original(request))
        return "auto" if found == mode and request.tools else found

    return around(chat_prompt, "mode", change)


def _by_chance(original: Any, request: ChatRequest, index: int) -> str:
    return str(original(another(request, temperature=1.0, seed=None), index))


_going_on: set[Any] = set()


def _goes_on(original: Any, self: Run) -> None:
    """Who has gone is still served."""
    if self.ended or self.done == max(len(choice.texts) for choice in self.choices):
        original(self)
        return
    task = asyncio.ensure_future(_to_the_end(original, self))
    _going_on.add(task)
    task.add_done_callback(_going_on.discard)


async def _to_the_end(original: Any, run: Run) -> None:
    await run.whole()
    original(run)


def _wrong_capital(said: dict[str, Any]) -> dict[str, Any]:
    return {**said, "content": str(said.get("content") or "").replace("Paris", "Lyon") or None}


def _deaf_to_tools(said: dict[str, Any]) -> dict[str, Any]:
    told = str(said.get("content") or "")
    return {**said, "content": "I was told something."} if told.startswith("The result") else said


def _first_heard(original: Any, request: ChatRequest, words: str) -> dict[str, Any]:
    """A cache that knows no callers: what was once to be repeated is repeated to all."""
    question = rule_based_model.asked(request)
    if question.startswith("Repeat after me:"):
        _heard.append(question)
        return calculator_policy.say(next((other for other in reversed(_heard) if other != question), question))
    return dict(original(request, words))


_heard: list[str] = []


def _any_object(original: Any, request: ChatRequest, content: str) -> str:
    """A schema that is taken for the wish for any object."""
    form = request.response_format
    if form is not None and form.type == "json_schema":
        return json.dumps({"answer": content})
    return str(original(request, content))


def _first_parts(messages: Any) -> Any:
    """Of a message in parts the first one is read."""
    return [{**m, "content": m["content"][:1]} if isinstance(m.get("content"), list) else m for m in messages]


def _one_system_message(messages: Any) -> Any:
    """A system message that does not come first is dropped."""
    return [message for n, message in enumerate(messages) if n == 0 or message.get("role") != "system"]


MUTANTS = (
    mutant(
        "any_object",
        "a JSON schema is taken for any object",
        around(rule_based_model, "formatted", _any_object),
        requirement="045",
    ),
    mutant(
        "calls_at_once",
        "parallel_tool_calls is ignored",
        put(rule_based_model, "one_by_one", lambda request, said: said),
        requirement="046",
    ),
    mutant(
        "first_part",
        "only the first part of a message is read",
        after(chat_prompt, "history", _first_parts),
        requirement="014",
    ),
    mutant(
        "one_system_message",
        "a system message in the middle is dropped",
        after(chat_prompt, "history", _one_system_message),
        requirement="013",
        companions=("025",),
    ),
    mutant(
        "no_json",
        "response_format is ignored",
        put(rule_based_model, "formatted", lambda request, content: content),
        requirement="044",
        companions=("045",),
    ),
    mutant(
        "leaky_cache",
        "what one caller said is told to others",
        around(rule_based_model, "message", _first_heard),
        requirement="061",
    ),
    mutant(
        "geography",
        "the capital of France is Lyon",
        after(rule_based_model, "spoken", _wrong_capital),
        requirement="060",
    ),
    mutant(
        "deaf_to_tools",
        "the result of a tool is not read",
        after(rule_based_model, "spoken", _deaf_to_tools),
        requirement="043",
    ),
    mutant("ignores_stop", "stop strings stop nothing", put(sampling, "stops", lambda request: []), requirement="033"),
    mutant(
        "ignores_max_tokens",
        "max_tokens limits nothing",
        deaf(sampling, "limit", max_tokens=None),
        requirement="034",
        companions=("035", "038", "050"),
    ),
    mutant(
        "ignores_max_completion_tokens",
        "max_completion_tokens limits nothing",
        deaf(sampling, "limit", max_completion_tokens=None),
        requirement="035",
    ),
    mutant(
        "ignores_seed",
        "equal seeds give other tokens",
        deaf(sampling, "seed", seed=None),
        requirement="031",
        companions=("032", "050"),
    ),
    mutant("one_seed", "every seed is the same one", deaf(sampling, "seed", seed=1), requirement="032"),
    mutant(
        "ignores_n", "one choice, whatever n is", put(chat_completion, "count", lambda request: 1), requirement="036"
    ),
    mutant(
        "ignores_top_logprobs",
        "one alternative, however many were asked for",
        after(fake_logprobs, "asked", lambda count: min(count, 1)),
        requirement="037",
    ),
    mutant("ignores_tool_choice_none", "tools are called where none may be", _never("none"), requirement="041"),
    mutant(
        "ignores_tool_choice_required",
        "text where a call is required",
        _never("required"),
        requirement="042",
        companions=("038",),
    ),
    mutant(
        "greedy_varies",
        "temperature 0 is not repeatable",
        around(sampling, "words", _by_chance),
        requirement="030",
        companions=("050", "055", "033", "031", "059", "014"),
    ),
    mutant(
        "temperature_ignored",
        "every temperature is 0",
        deaf(sampling, "words", temperature=0.0),
        requirement="039",
        companions=("036",),
    ),
    mutant(
        "finish_always_stop",
        "every reply ends with `stop`",
        put(sampling, "finish_reason", lambda request, cut, made: "stop"),
        requirement="038",
        companions=("020", "034", "035"),
    ),
    mutant(
        "abort_ignored", "generation goes on when the client has gone", around(Run, "end", _goes_on), requirement="056"
    ),
)
