"""The record of the suite, made of the sequences that a server keeps of a rollout: ids, a mask of what was sampled, and logprobs."""

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any


def turns(ids: Sequence[int], mask: Sequence[int], logprobs: Sequence[float]) -> Iterator[dict[str, Any]]:
    """The sampled parts of a sequence, each with what stands in front of it. `mask` is 1 for a sampled token."""
    at = 0
    for sampled, part in groupby(mask):
        end = at + len(list(part))
        if sampled:
            own = {"token_ids": list(ids[at:end]), "logprobs": list(logprobs[at:end])}
            yield {"prompt_token_ids": list(ids[:at]), **own}
        at = end


def branch(ids: Sequence[int], mask: Sequence[int], logprobs: Sequence[float]) -> dict[str, Any]:
    shown = [value if sampled else 0.0 for value, sampled in zip(logprobs, mask, strict=True)]
    lists = {"token_ids": list(ids), "response_mask": list(mask), "logprobs": shown}
    return {"turns": [*turns(ids, mask, shown)], **lists, "drift": None}


def record(name: str, branches: list[dict[str, Any]]) -> dict[str, Any]:
    """`GET /rollouts/{name}` of contracts/trainer/openapi.yaml, of a rollout that has not ended."""
    empty: dict[str, list[Any]] = {"turns": [], "token_ids": [], "response_mask": [], "logprobs": []}
    state = {"status": "running", "finish_reason": None, "error_message": None, "drift": None, "result": None}
    return {"rollout_id": name, "dialect": "sync", **state, **empty, "branches": branches}
