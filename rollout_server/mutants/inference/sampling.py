"""Defects of sampling parameters."""

from collections.abc import Callable
from typing import Any

from rollout_conformance.rollout_server.inference import (
    chat_completion,
    errors,
    fake_logprobs,
    request_validation,
    sampling,
    token_weights,
)
from rollout_conformance.rollout_server.inference.wire import ChatRequest
from rollout_conformance.rollout_server.mutants.framework import Mutant, after, around, put
from rollout_conformance.rollout_server.mutants.inference.patches import with_changes


def _by_chance(original: Any, request: ChatRequest, index: int) -> str:
    return str(original(with_changes(request, temperature=1.0, seed=None), index))


def with_members(owner: Any, name: str, **changes: Any) -> Callable[[], None]:
    """A function whose first argument is the request gets it with changed members."""
    return around(owner, name, lambda original, request, *a: original(with_changes(request, **changes), *a))


def _no_stop_with_tools(original: Any, request: ChatRequest) -> Any:
    """Stop strings and tools are only accepted without each other."""
    yield from original(request)
    if request.tools and request.stop:
        yield errors.bad("stop is not supported together with tools.", "stop")


MUTANTS = (
    Mutant(
        "stop_with_tools_rejected",
        breaks="063",
        what="stop strings are rejected together with tools",
        patch=around(request_validation, "tool_problems", _no_stop_with_tools),
    ),
    Mutant(
        "greedy_varies",
        breaks="030",
        also=("050", "055", "033", "031", "059", "014", "064"),
        what="temperature 0 is not deterministic",
        patch=around(sampling, "words", _by_chance),
    ),
    Mutant(
        "ignores_seed",
        breaks="031",
        also=("032", "050"),
        what="equal seeds give different tokens",
        patch=with_members(sampling, "seed", seed=None),
    ),
    Mutant(
        "one_seed",
        breaks="032",
        also=("065",),
        what="every seed is treated as 1",
        patch=with_members(sampling, "seed", seed=1),
    ),
    Mutant(
        "ignores_stop", breaks="033", what="stop strings are ignored", patch=put(sampling, "stops", lambda request: [])
    ),
    Mutant(
        "ignores_max_tokens",
        breaks="034",
        also=("035", "038", "050"),
        what="max_tokens is ignored",
        patch=with_members(sampling, "limit", max_tokens=None),
    ),
    Mutant(
        "ignores_max_completion_tokens",
        breaks="035",
        what="max_completion_tokens is ignored",
        patch=with_members(sampling, "limit", max_completion_tokens=None),
    ),
    Mutant(
        "ignores_n",
        breaks="036",
        what="one choice, whatever n is",
        patch=put(chat_completion, "count", lambda request: 1),
    ),
    Mutant(
        "ignores_top_logprobs",
        breaks="037",
        what="one alternative, whatever top_logprobs is",
        patch=after(fake_logprobs, "top_count", lambda count: min(count, 1)),
    ),
    Mutant(
        "copies_under_a_seed",
        breaks="036",
        what="the choices of a request with a seed are copies of one",
        patch=around(
            sampling, "words", lambda original, request, n: original(request, n if request.seed is None else 0)
        ),
    ),
    Mutant(
        "top_p_ignored",
        breaks="064",
        what="top_p is accepted and has no effect",
        patch=put(sampling, "is_narrow", lambda request: False),
    ),
    Mutant(
        "logit_bias_ignored",
        breaks="067",
        what="logit_bias is accepted and has no effect",
        patch=put(token_weights, "bias", lambda request: {}),
    ),
    Mutant(
        "presence_penalty_ignored",
        breaks="068",
        what="presence_penalty is accepted and has no effect",
        patch=put(token_weights, "presence_penalty", lambda request: 0.0),
    ),
    Mutant(
        "frequency_penalty_ignored",
        breaks="068",
        what="frequency_penalty is accepted and has no effect",
        patch=put(token_weights, "frequency_penalty", lambda request: 0.0),
    ),
    Mutant(
        "max_tokens_first",
        breaks="035",
        what="max_completion_tokens is ignored beside max_tokens",
        patch=around(
            sampling,
            "limit",
            lambda original, request, room: original(
                with_changes(request, max_completion_tokens=request.max_tokens or request.max_completion_tokens), room
            ),
        ),
    ),
    Mutant(
        "one_default_seed",
        breaks="065",
        what="requests without a seed have the seed 1",
        patch=put(sampling, "seed", lambda request: 1 if request.seed is None else request.seed),
    ),
    Mutant(
        "finish_always_stop",
        breaks="038",
        also=("020", "034", "035"),
        what="finish_reason is always `stop`",
        patch=put(sampling, "finish_reason", lambda request, cut, made: "stop"),
    ),
    Mutant(
        "temperature_ignored",
        breaks="039",
        also=("036",),
        what="every temperature is treated as 0",
        patch=with_members(sampling, "words", temperature=0.0),
    ),
)
