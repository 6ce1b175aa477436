"""Orders of events of a rollout that nobody wrote down: walks over the lifecycle table, and pairs of faults.

walk.py draws a walk · scenario_emitter.py what its events are in words of a scenario · fault_pairs.py two faults at a time · smaller.py
one thing less.
"""

from rollout_conformance.steps.profiles.rollout.exploration.fault_pairs import pairs as fault_pairs
from rollout_conformance.steps.profiles.rollout.exploration.scenario_emitter import unlabelled as tidied
from rollout_conformance.steps.profiles.rollout.exploration.smaller import smaller
from rollout_conformance.steps.profiles.rollout.exploration.walk import walks

__all__ = ["fault_pairs", "may_stop", "smaller", "tidied", "walks"]


def may_stop(dialect: str) -> bool:
    """Where results are not sent by the server, nobody can receive one once it has stopped."""
    return dialect in ("callback", "routed")
