"""Which cases make backends fail. A router may then not use these backends for a while, as circuit breakers do, or report that it is full.

Such a case is played where it disturbs no other one: at an instance of the router of its own, or as one of the last, with no other case
at the same time.
"""

from rollout_conformance.steps.engine.cases import Case
from rollout_conformance.steps.profiles.router.backends import BackendsDown, ScriptBackends, StopLastBackend


def disturbs(case: Case) -> bool:
    """Whether a router that has played the case may treat a backend in another way than before."""
    return any(_disturbing(step.what) for step in case.actions)


def _disturbing(what: object) -> bool:
    if isinstance(what, ScriptBackends):
        return any(response.fails or response.size for response in what.responses)
    return isinstance(what, StopLastBackend | BackendsDown)
