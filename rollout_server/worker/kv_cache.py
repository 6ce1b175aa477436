"""Keys and values of the tokens of one sequence."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float32]
FIRST_ROOM = 128  # tokens


@dataclass(slots=True, init=False)
class LayerCache:
    """Arrays of shape (key-value heads, room, head size), of which `length` tokens are used. The room doubles."""

    keys: Array
    values: Array
    length: int

    def __init__(self, heads: int, head_size: int) -> None:
        self.keys = np.zeros((heads, FIRST_ROOM, head_size), dtype=np.float32)
        self.values = np.zeros_like(self.keys)
        self.length = 0

    def append(self, keys: Array, values: Array) -> tuple[Array, Array]:
        """Keys and values of shape (tokens, heads, head size). Returns those of the whole sequence."""
        end = self.length + len(keys)
        while end > self.keys.shape[1]:
            self.keys, self.values = doubled(self.keys), doubled(self.values)
        self.keys[:, self.length : end] = keys.swapaxes(0, 1)
        self.values[:, self.length : end] = values.swapaxes(0, 1)
        self.length = end
        return self.keys[:, :end], self.values[:, :end]


def doubled(array: Array) -> Array:
    return np.concatenate([array, np.zeros_like(array)], axis=1)


@dataclass(slots=True)
class KvCache:
    layers: tuple[LayerCache, ...]

    @property
    def length(self) -> int:
        return self.layers[0].length
