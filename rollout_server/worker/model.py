"""What a worker needs of a model: logits for the token that follows each of several sequences."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

Logits = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Read:
    """Tokens that are appended to a sequence. `cache` is what the model keeps of the sequence, from `Model.new_cache`.

    The result has shape (tokens, vocabulary) with `every`, else (1, vocabulary): the logits after the last token.
    """

    cache: Any
    ids: Sequence[int]
    every: bool = False


class Model(Protocol):
    """`read` takes one or more tokens of each of several sequences, which do not influence each other."""

    name: str
    vocab_size: int
    context_length: int
    eos: int

    def new_cache(self) -> Any: ...

    def read(self, reads: Sequence[Read]) -> list[Logits]: ...
