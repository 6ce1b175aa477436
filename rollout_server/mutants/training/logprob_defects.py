"""Defects of the text that logprobs are computed of, in the dialect `tinker-json`: its chunks, its targets, its masked tokens."""

from dataclasses import replace
from typing import Any

import numpy as np

from rollout_conformance.rollout_server.mutants.framework import Mutant, after, around
from rollout_conformance.rollout_server.mutants.training.arithmetic import TINKER
from rollout_conformance.rollout_server.training import batch, passes, tensors, training_step


def _masked(original: Any, base: Any, unembedding: Any, sequence: Any, given: Any, *, with_gradient: bool) -> Any:
    """The logprob of a token without weight is returned as 0."""
    one = original(base, unembedding, sequence, given, with_gradient=with_gradient)
    weights = sequence.given.get("weights")
    return one if weights is None else replace(one, logprobs=np.where(weights == 0, 0.0, one.logprobs))


def _derived_targets(original: Any, given: Any, limits: Any) -> Any:
    """The targets are the next tokens, whatever was sent; only the last one is read."""
    parsed = original(given, limits)
    return replace(parsed, sequences=tuple(map(_with_next_tokens, parsed.sequences)))


def _with_next_tokens(sequence: Any) -> Any:
    targets = np.array(sequence.targets)
    targets[:-1] = sequence.tokens[1:].reshape(targets[:-1].shape[0], *[1] * (targets.ndim - 1))
    return replace(sequence, targets=targets)


def _ahead(original: Any, base: Any, unembedding: Any, tokens: Any, targets: Any) -> Any:
    """Each place sees the next token in place of its own."""
    return original(base, unembedding, np.append(tokens[1:], tokens[-1]), targets)


def _padded_chunks(original: Any, model_input: Any, where: str) -> Any:
    """The second chunk is read as if it repeated the end of the first one."""
    ids = original(model_input, where)
    first = len(model_input.chunks[0].tokens)
    return np.append(ids[:first], np.full(len(ids) - first, ids[first - 1]))


def _without_type(result: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in result.items() if name != "loss_fn_output_type"}


def _in_float64(tensor: dict[str, Any]) -> dict[str, Any]:
    return {**tensor, "dtype": "float64"}


def _one_longer(tensor: dict[str, Any]) -> dict[str, Any]:
    return {**tensor, "shape": [len(tensor["data"]) + 1]}


MUTANTS = (
    Mutant(
        "dtype_of_no_client", breaks="201", also=("*",), what="logprobs have a dtype that the SDK does not have",
        patch=after(tensors, "to_wire", _in_float64), dialects=TINKER,
    ),
    Mutant(
        "shape_of_another_tensor", breaks="201", also=("*",), what="the shape of logprobs has one value more than their data",
        patch=after(tensors, "to_wire", _one_longer), dialects=TINKER,
    ),
    Mutant(
        "masked_logprobs_are_zero", breaks="014", also=("002", "013"), what="the logprob of a token without weight is returned as 0",
        patch=around(training_step, "evaluate", _masked), dialects=TINKER,
    ),
    Mutant(
        "targets_derived", breaks="041", what="the targets are the next tokens, whatever is sent",
        patch=around(batch, "parse", _derived_targets), dialects=TINKER,
    ),
    Mutant(
        "sees_the_next_token", breaks="041", also=("022", "023", "026"), what="a logprob depends on the token after it",
        patch=around(passes, "forward", _ahead), dialects=TINKER,
    ),
    Mutant(
        "second_chunk_lost", breaks="041", what="the tokens of a second chunk are not read",
        patch=around(tensors, "tokens", _padded_chunks), dialects=TINKER,
    ),
    Mutant(
        "output_type_missing", breaks="201", what="a result has no loss_fn_output_type",
        patch=after(training_step, "described", _without_type), dialects=TINKER,
    ),
)  # fmt: skip
