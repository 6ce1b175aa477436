"""Tensors of the wire as numpy arrays, checked: shapes, types, ranges. Raises `UserError` 400 that names the member."""

import itertools

import numpy as np

from rollout_conformance.contracts.training.wire_tinker import ModelInput, TensorData
from rollout_conformance.rollout_server.training import errors
from rollout_conformance.rollout_server.training.base_model import VOCABULARY, Floats, Ints

MOST_ELEMENTS = 2**22


def tokens(model_input: ModelInput, where: str) -> Ints:
    """The ids of all chunks, [T]."""
    return token_ids([token for chunk in model_input.chunks for token in chunk.tokens], where)


def token_ids(ids: list[int], where: str) -> Ints:
    if not ids:
        raise errors.invalid(f"{where} has no tokens")
    if min(ids) < 0 or max(ids) >= VOCABULARY:
        raise errors.invalid(f"{where} has a token outside the vocabulary of {VOCABULARY}")
    return np.asarray(ids, np.int64)


def floats(tensor: TensorData, where: str) -> Floats:
    """Dense, in float64."""
    values = np.asarray(tensor.data, np.float64)
    if not np.isfinite(values).all():
        raise errors.invalid(f"{where} has a value that is not finite")
    return dense(tensor, values, where)


def integers(tensor: TensorData, where: str) -> Ints:
    if tensor.dtype != "int64" or not all(isinstance(value, int) for value in tensor.data):
        raise errors.invalid(f"{where} must be of dtype int64")
    try:
        return dense(tensor, np.asarray(tensor.data, np.int64), where).astype(np.int64)
    except OverflowError:
        raise errors.invalid(f"{where} has a value beyond 64 bits") from None


def dense(tensor: TensorData, values: Floats | Ints, where: str) -> Floats:
    shape = shape_of(tensor, where)
    crow, col = tensor.sparse_crow_indices, tensor.sparse_col_indices
    if (crow is None) != (col is None):
        raise errors.invalid(f"{where}: both sparse index lists are needed, or none")
    if crow is None or col is None:
        if int(np.prod(shape)) != len(values):
            raise errors.invalid(f"{where} has {len(values)} values, and the shape {list(shape)}")
        return values.reshape(shape).astype(np.float64)
    return from_csr(crow, col, values, shape, where)


def shape_of(tensor: TensorData, where: str) -> tuple[int, ...]:
    shape = (len(tensor.data),) if tensor.shape is None else tuple(tensor.shape)
    if len(shape) not in (1, 2) or min(shape) < 0:
        raise errors.invalid(f"{where} must have one or two dimensions")
    if max(shape) > MOST_ELEMENTS or shape[0] * shape[-1] > MOST_ELEMENTS:
        raise errors.invalid(f"{where} is too large")
    return shape


def from_csr(crow: list[int], col: list[int], values: Floats | Ints, shape: tuple[int, ...], where: str) -> Floats:
    if len(shape) != 2 or not is_csr(crow, col, len(values), shape):
        raise errors.invalid(f"{where}: the sparse indices do not fit the shape")
    result = np.zeros(shape)
    rows = np.repeat(np.arange(shape[0]), np.diff(crow))
    result[rows, col] = values
    return result


def is_csr(crow: list[int], col: list[int], count: int, shape: tuple[int, ...]) -> bool:
    rising = len(crow) == shape[0] + 1 and crow[0] == 0 and crow[-1] == count
    inside = len(col) == count and all(0 <= index < shape[1] for index in col)
    return rising and inside and all(a <= b for a, b in itertools.pairwise(crow))


def to_wire(values: Floats) -> dict[str, object]:
    """A float32 tensor: each number is the nearest float32, written so that it parses to the same."""
    narrow = values.astype(np.float32)
    return {"data": narrow.reshape(-1).tolist(), "dtype": "float32", "shape": list(narrow.shape)}
