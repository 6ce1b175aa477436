"""The named batches that cases train on. Each exists as token ids and as texts; A and B have no target token in common.

Token ids are small, so that every vocabulary has them. The texts of A and B consist of the same words in another order behind the same
first word, so that they have equally many tokens: then a mean over tokens and a sum lead to the same first step. The data of `fork` begin like
the first one of A, those of `start` are the beginnings of A. `long` is one long datum and `many` are many short ones: both end as the first one
of B does, with tokens of the probe. The probe has the texts of A:
its one loss differs most between a model that was trained on A and one that was not.
"""

from collections.abc import Mapping
from itertools import cycle, islice

from rollout_conformance.steps.profiles.training.accounting import Row

Tokens = tuple[tuple[int, ...], ...]

TOKENS: Mapping[str, Tokens] = {
    "A": ((1, 2, 3, 4, 5), (6, 2, 4, 3)),
    "B": ((7, 9, 11, 13), (8, 10, 12, 9, 14)),
    "C": ((15, 16, 17, 18), (15, 17, 16)),
    "start": ((1, 2, 3), (6, 2)),
    "fork": ((1, 2, 9, 11, 13), (1, 9, 2)),
    "long": ((*islice(cycle((1, 2, 3, 4, 5, 6)), 197), 7, 9, 11, 13),),
    "many": (*(((1, 2, 3),) * 95), (7, 9, 11, 13)),
    "probe": ((1, 2, 3, 4, 5, 7, 9, 11, 13), (6, 2, 4, 3, 8, 10, 12, 9, 14), (15, 16, 17, 18, 15, 17, 16)),
}
TEXTS: Mapping[str, tuple[str, ...]] = {
    "A": ("words red green blue green red blue", "words green red red blue blue green"),
    "B": ("words blue blue red green green red", "words red blue blue red green green"),
    "fork": ("words red green blue green red blue", "words green green blue blue red red"),
    "start": ("words red green", "words green"),
    "C": ("words green green blue blue red red", "words blue green red red green blue"),
    "probe": ("words red green blue green red blue", "words green red red blue blue green"),
}
END = "end"


def tokens(names: tuple[str, ...], end: int | None = None) -> Tokens:
    """The data of these batches together. The batch `end` repeats the token that ends a sequence."""
    every = {**TOKENS, END: ((1, 2, 3, *(end or 0,) * 6),)}
    return tuple(row for name in names for row in every[name])


def texts(names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(text for name in names for text in TEXTS.get(name, ()))


def row_of(sequence: tuple[int, ...]) -> Row:
    """The targets of a sequence of tokens: each token but the first."""
    return Row(sequence[1:])
