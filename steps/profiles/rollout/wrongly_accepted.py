"""A start request that a target accepts although it is invalid. What follows shows nothing of any requirement about valid ones: no agent can
run without messages, and no generation request reaches an address that is none.

Pure.
"""

from collections.abc import Iterator

from rollout_conformance.steps.engine.cases import Action, Case, Expectation
from rollout_conformance.steps.engine.findings import Cause, Finding
from rollout_conformance.steps.profiles.rollout.expectations.start_responses import NeedsRejection, StartRejected
from rollout_conformance.steps.profiles.rollout.view import Rollout


def expectations_of(case: Case, rollout: Rollout) -> Iterator[Action | Expectation]:
    """What the case expects of this rollout."""
    label = rollout.given.label
    for step in case.expectations:
        name = getattr(step.what, "rollout", "")
        if name in ("", label) or label.startswith(f"{name}#"):
            yield step.what


def wrongly_accepted(case: Case, rollout: Rollout) -> Cause | None:
    """The acceptance itself, where the case demands a rejection; no finding where the case is about what follows one."""
    accepted = next((start for start in rollout.starts if start.status is not None and 200 <= start.status < 300), None)
    if accepted is None:
        return None
    for what in expectations_of(case, rollout):
        if isinstance(what, NeedsRejection) and accepted is rollout.starts[0]:
            return Cause(
                f"its first start request, which is invalid, was accepted with {accepted.status}", since=accepted.n
            )
        if isinstance(what, StartRejected):
            observed = f"accepted with {accepted.status}"
            finding = Finding(case.requirements[0], what.expected, observed, (accepted.n,))
            return Cause(f"the start request was {observed}", finding, accepted.n, certain=True)
    return None
