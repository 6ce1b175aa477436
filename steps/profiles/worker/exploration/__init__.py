"""Generated orders of events of jobs: walks over the lifecycle table, and pairs of disturbances.

walk.py draws a walk · pairs.py two disturbances at a time · document.py what both are as a scenario.
"""

from rollout_conformance.steps.profiles.parts import Document
from rollout_conformance.steps.profiles.worker.exploration.document import smaller
from rollout_conformance.steps.profiles.worker.exploration.pairs import pairs as fault_pairs
from rollout_conformance.steps.profiles.worker.exploration.walk import walks

__all__ = ["fault_pairs", "may_stop", "smaller", "tidied", "walks"]


def may_stop(dialect: str) -> bool:
    """What is owed when a worker is stopped is the subject of written cases."""
    return False


def tidied(document: Document) -> Document:
    """Walks are written as people would write them."""
    return document
