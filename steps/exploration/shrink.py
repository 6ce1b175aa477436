"""Makes a failing scenario smaller, piece by piece."""

import itertools
from collections.abc import Callable, Iterable

from rollout_conformance.steps.profiles.parts import Document

MOST_TRIES = 60


def reduced(
    document: Document, fails: Callable[[Document], bool], smaller: Callable[[Document], Iterable[Document]]
) -> Document:
    """The smallest of the documents that still fail, where each step down is given `MOST_TRIES` attempts."""
    for candidate in itertools.islice(smaller(document), MOST_TRIES):
        if fails(candidate):
            return reduced(candidate, fails, smaller)
    return document
