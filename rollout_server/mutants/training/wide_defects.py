"""Defects of target tokens and weights of two dimensions."""

import itertools
from dataclasses import replace
from typing import Any

import numpy as np

from rollout_conformance.rollout_server.mutants.framework import Mutant, after, around
from rollout_conformance.rollout_server.mutants.training.arithmetic import TINKER
from rollout_conformance.rollout_server.training import batch, losses, passes, tensors
from rollout_conformance.rollout_server.training.base_model import Floats, Ints


def _by_columns(original: Any, *arguments: Any) -> Any:
    """The values are read as if they were written column after column."""
    one = original(*arguments)
    read = {name: _transposed(values) for name, values in one.given.items()}
    return replace(one, targets=_transposed(one.targets), given=read)


def _transposed(values: Any) -> Any:
    return values.reshape(values.shape[::-1]).T


def _of_the_first(original: Any, one: passes.Pass, slopes: Floats) -> Any:
    return original(one, slopes * (np.arange(slopes.shape[1]) == 0))


def _mean_of_a_position(original: Any, loss: Any, lp: Floats, given: Any, config: Any) -> Any:
    value, slopes = original(loss, lp, given, config)
    return value / lp.shape[1], slopes / lp.shape[1]


def _without_zeros(original: Any, crow: list[int], col: list[int], values: Any, shape: Any, where: str) -> Any:
    """The values of a row come one after the other, whatever their columns are."""
    sizes = [following - before for before, following in itertools.pairwise(crow)]
    return original(crow, [k for size in sizes for k in range(size)], values, shape, where)


def _with_one_weight(original: Any, *arguments: Any) -> Any:
    """All target tokens of a position have the weight of the first."""
    one = original(*arguments)
    return replace(
        one, given={name: np.repeat(values[:, :1], values.shape[1], 1) for name, values in one.given.items()}
    )


def _one_dimension(made: dict[str, Any]) -> dict[str, Any]:
    return {**made, "shape": [len(made["data"])]}


def _one_token(original: Any, tensor: Any, where: str) -> Ints:
    """Only the first target token of a position is looked up."""
    found: Ints = original(tensor, where)
    return found if found.ndim == 1 else np.repeat(found[:, :1], found.shape[1], 1)


MUTANTS = (
    Mutant(
        "wide_tensors_by_columns", breaks="046", what="tensors of two dimensions are read column after column",
        patch=around(batch, "parse_datum", _by_columns), dialects=TINKER,
    ),
    Mutant(
        "wide_gradient_of_the_first_column", breaks="046", what="the gradient is that of the first target token of each position",
        patch=around(passes, "backward", _of_the_first), dialects=TINKER,
    ),
    Mutant(
        "wide_loss_is_a_mean", breaks="046", what="the loss is the mean over the target tokens of a position",
        patch=around(losses, "evaluate", _mean_of_a_position), dialects=TINKER,
    ),
    Mutant(
        "wide_weight_of_the_first_column", breaks="046", what="all target tokens of a position have the weight of the first",
        patch=around(batch, "parse_datum", _with_one_weight), dialects=TINKER,
    ),
    Mutant(
        "wide_target_of_the_first_column", breaks="046", what="all logprobs of a position are those of its first target token",
        patch=around(tensors, "integers", _one_token), dialects=TINKER,
    ),
    Mutant(
        "wide_shape_lost", breaks="046", what="logprobs of two dimensions are returned in one",
        patch=after(tensors, "to_wire", _one_dimension), dialects=TINKER,
    ),
    Mutant(
        "sparse_columns_ignored", breaks="046", what="the values of a sparse row are read from its first column on",
        patch=around(tensors, "from_csr", _without_zeros), dialects=TINKER,
    ),
)  # fmt: skip
