"""Generated orders of calls, each judged against the same model trained plainly.

program.py the calls of a walk, and what is left of them without what must not matter · walk.py draws one over the table ·
disturbances.py two disturbances at a time · smaller.py one call less.
"""

from collections.abc import Iterator

from rollout_conformance.steps.profiles.parts import Document
from rollout_conformance.steps.profiles.training.exploration.disturbances import pairs
from rollout_conformance.steps.profiles.training.exploration.smaller import smaller
from rollout_conformance.steps.profiles.training.exploration.walk import walks

__all__ = ["fault_pairs", "may_stop", "smaller", "tidied", "walks"]


def may_stop(dialect: str) -> bool:
    """What a stopped server owes is not part of the contract."""
    return False


def fault_pairs(dialect: str, number: int) -> Iterator[Document]:
    return pairs(dialect, number)


def tidied(document: Document) -> Document:
    """A walk is written as people would write it."""
    return document
