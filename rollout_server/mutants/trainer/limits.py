"""Defects at the limits of a generation: `max_tokens` and the context; and of its logprobs."""

import re
from dataclasses import replace
from typing import Any

from rollout_conformance.rollout_server.common import calculator_policy
from rollout_conformance.rollout_server.common.errors import ApiError
from rollout_conformance.rollout_server.mutants.dialects import SYNC
from rollout_conformance.rollout_server.mutants.framework import Mutant, after, around, put
from rollout_conformance.rollout_server.trainer import backend, chat_completion
from rollout_conformance.rollout_server.trainer.backend import BuiltInBackend, Generation, GenerationTask
from rollout_conformance.rollout_server.trainer.session import Session

SMALL_CONTEXT = 1000  # tokens


async def _unmarked(original: Any, self: Any, task: GenerationTask) -> Generation:
    made: Generation = await original(self, task)
    return replace(made, finish_reason="stop") if made.finish_reason == "length" else made


async def _without_limit(original: Any, self: Any, task: GenerationTask) -> Generation:
    made: Generation = await original(self, replace(task, sampling={**task.sampling, "max_tokens": 512}))
    return made


async def _completes_calls(original: Any, self: Any, task: GenerationTask) -> Generation:
    """A tool call that was truncated is returned with what could be read of it."""
    made: Generation = await original(self, task)
    name = re.search(r"(add|subtract|multiply)", made.text) if made.finish_reason == "length" else None
    if name is None:
        return made
    call = calculator_policy.call(f"call_{backend.digest(task.rollout_id)}_{task.turn}", name[1], {})
    return replace(
        made, message={"role": "assistant", "content": None, "tool_calls": [call]}, finish_reason="tool_calls"
    )


def _empty(task: GenerationTask) -> Generation:
    message = {"role": "assistant", "content": ""}
    return Generation(message, "stop", task.prompt.token_ids, (), (), "")


async def _overflows(original: Any, self: Any, task: GenerationTask) -> Generation:
    try:
        return await original(self, task)  # type: ignore[no-any-return]
    except ApiError as error:
        if error.code != "context_length_exceeded":
            raise
        return _empty(task)


async def _fails(original: Any, self: Any, task: GenerationTask) -> Generation:
    try:
        return await original(self, task)  # type: ignore[no-any-return]
    except ApiError as error:
        raise RuntimeError("planted") from error


async def _overflows_early(original: Any, self: Any, task: GenerationTask) -> Generation:
    if len(task.prompt.token_ids) > SMALL_CONTEXT:
        return _empty(task)
    return await original(self, task)  # type: ignore[no-any-return]


def _moved(original: Any, self: Session) -> dict[str, Any]:
    """Within each run of sampled tokens."""
    record: dict[str, Any] = original(self)
    following = [*record["logprobs"], 0.0][1:]
    pairs = zip(record["response_mask"], following, strict=True)
    return {**record, "logprobs": [value if sampled else 0.0 for sampled, value in pairs]}


def _zeros(body: dict[str, Any]) -> dict[str, Any]:
    return {**body, "logprobs": [0.0] * len(body["logprobs"])}


def _other(body: dict[str, Any]) -> dict[str, Any]:
    return {**body, "logprobs": [value / 2 for value in body["logprobs"]]}


MUTANTS = (
    Mutant(
        "unmarked_truncation",
        breaks="304",
        what="a generation that was truncated has the finish_reason stop",
        patch=around(BuiltInBackend, "generate", _unmarked),
    ),
    Mutant(
        "ignores_max_tokens",
        breaks="304",
        what="max_tokens is ignored",
        patch=around(BuiltInBackend, "generate", _without_limit),
    ),
    Mutant(
        "completes_calls",
        breaks="304",
        also=("182", "188", "189"),
        what="a truncated tool call is returned with empty arguments and the finish_reason tool_calls",
        patch=around(BuiltInBackend, "generate", _completes_calls),
    ),
    Mutant(
        "ignores_stop",
        breaks="310",
        what="stop is ignored",
        patch=put(backend, "before_stop", lambda text, stop: None),
    ),
    Mutant(
        "empty_on_overflow",
        breaks="305",
        what="a prompt that is too long is answered with an empty message and finish_reason stop",
        patch=around(BuiltInBackend, "generate", _overflows),
    ),
    Mutant(
        "fails_on_overflow",
        breaks="305",
        what="a prompt that is too long is answered with 500",
        patch=around(BuiltInBackend, "generate", _fails),
    ),
    Mutant(
        "empty_in_long_rollouts",
        breaks="305",
        what="the same with a context so small that ordinary rollouts fill it",
        patch=around(BuiltInBackend, "generate", _overflows_early),
    ),
    Mutant(
        "placeholder_logprobs",
        breaks="306",
        what="all logprobs are 0.0, in generations and in the record",
        patch=around(backend, "logprob", lambda original, *arguments: 0.0),
    ),
    Mutant(
        "positive_logprobs",
        breaks="306",
        what="all logprobs have the wrong sign",
        patch=around(backend, "logprob", lambda original, *arguments: -original(*arguments)),
    ),
    Mutant(
        "moved_logprobs",
        breaks="306",
        what="the logprobs of the record are moved by one token",
        patch=around(Session, "record", _moved),
    ),
    Mutant(
        "placeholders_in_replies",
        breaks="306",
        what="all logprobs of generations are 0.0, and the record has the real ones",
        patch=after(chat_completion, "tokens", _zeros),
        dialects=SYNC,
    ),
    Mutant(
        "other_logprobs",
        breaks="306",
        what="the logprobs of generations are not those of the record",
        patch=after(chat_completion, "tokens", _other),
        dialects=SYNC,
    ),
)
