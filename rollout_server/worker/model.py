"""What a worker needs of a model: logits for the token that follows a sequence."""

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

Logits = npt.NDArray[np.float32]


class Cache(Protocol):
    """What a model keeps of one sequence. `length` is how many tokens it has read."""

    @property
    def length(self) -> int: ...


class Model(Protocol):
    """`read` appends tokens to a sequence and returns the logits after each of them, shape (tokens, vocabulary); with `last_only` after
    the last, shape (1, vocabulary)."""

    name: str
    vocab_size: int
    context_length: int
    eos: int

    def new_cache(self) -> Any: ...

    def read(self, cache: Any, ids: Sequence[int], *, last_only: bool = True) -> Logits: ...

    def bytes_used(self) -> int: ...
