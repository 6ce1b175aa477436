"""Batches of two dimensions: which values stand where, dense and in CSR form."""

import numpy as np
import pytest

from rollout_conformance.steps.profiles.training.accounting import Row
from rollout_conformance.steps.profiles.training.wide_targets import shaped, widened
from rollout_conformance.steps.profiles.training.wire import Members, sparse, tensor


def test_the_columns_of_a_position_are_different_tokens() -> None:
    assert widened((2, 3, 4), 2) == (2, 3, 3, 4, 4, 2)


def test_a_column_has_its_own_targets_and_weights() -> None:
    row = Row(widened((2, 3, 4), 2), (1.0, 2.0, 3.0, 4.0, 5.0, 6.0))
    assert shaped(row, 2, 1) == Row((3, 4, 2), (2.0, 4.0, 6.0))
    assert shaped(row, 2, -1).columns == 2
    assert shaped(row, 0, -1) is row


def unpacked(csr: Members) -> list[list[float]]:
    """What a reader of CSR makes of it."""
    dense = np.zeros(np.asarray(csr["shape"]))
    crow, col, data = (np.asarray(csr[name]) for name in ("sparse_crow_indices", "sparse_col_indices", "data"))
    for row in range(len(dense)):
        dense[row, col[crow[row] : crow[row + 1]].astype(int)] = data[crow[row] : crow[row + 1]]
    return [[float(value) for value in row] for row in dense]


@pytest.mark.parametrize("values", [(0.0, 0.5, 0.0, 0.0, 2.0, 1.0), (0.0,) * 6, (1.0, 2.0, 3.0, 4.0, 5.0, 6.0)])
def test_a_sparse_tensor_is_the_dense_one(values: tuple[float, ...]) -> None:
    assert unpacked(sparse(tensor(values, columns=2))) == np.reshape(values, (3, 2)).tolist()
