"""Which cases make engines fail. A router may then leave these engines alone for a while, as circuit breakers do, or say that it is full.

Such a case is played where it disturbs no other one: at an instance of the router of its own, or as one of the last, with nobody
beside it.
"""

from rollout_conformance.steps.engine.cases import Case
from rollout_conformance.steps.profiles.router.actions import Play
from rollout_conformance.steps.profiles.router.affinity import Engines, LastDies


def disturbs(case: Case) -> bool:
    """Whether a router that has played the case may treat an engine otherwise than before."""
    return any(_disturbing(step.what) for step in case.actions)


def _disturbing(what: object) -> bool:
    if isinstance(what, Play):
        return any(line.fails or line.size for line in what.lines)
    return isinstance(what, LastDies | Engines)
