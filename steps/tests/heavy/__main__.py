"""The CPU time that judging large cases takes.

`python -m rollout_conformance.steps.tests.heavy PROFILE` judges each at a quarter of its size,
then whole, and prints what is steeper than linear. It is a
process of its own, so that a test can end it: nothing else stops a regular expression.
"""

import sys

from rollout_conformance.steps.profiles import PROFILES
from rollout_conformance.steps.tests import growth
from rollout_conformance.steps.tests.heavy.chat import chat_views, router_views
from rollout_conformance.steps.tests.heavy.rollout import rollout_views
from rollout_conformance.steps.tests.heavy.trainer import trainer_views
from rollout_conformance.steps.tests.heavy.training import training_views
from rollout_conformance.steps.tests.heavy.values import SIZES
from rollout_conformance.steps.tests.heavy.worker import worker_views

VIEWS = {
    "chat": chat_views,
    "router": router_views,
    "trainer": trainer_views,
    "rollout": rollout_views,
    "training": training_views,
    "worker": worker_views,
}


def main(profile: str) -> int:
    """Judge every case with every invariant; a line for each that is steeper than linear, then how many were judged."""
    judged = 0
    for name, view in VIEWS[profile]():
        talks = {size: view(size) for size in SIZES}
        for invariant in PROFILES[profile].invariants:
            told = growth.excess(lambda size, i=invariant, t=talks: lambda: [*i(t[size])], SIZES)  # type: ignore[misc]
            judged += 1
            if told:
                sys.stdout.write(f"{invariant.__name__}, {name}: {told}\n")
    sys.stdout.write(f"judged {judged}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
