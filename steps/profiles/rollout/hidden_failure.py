"""A rollout that failed and is reported as one that completed. Pure.

Many cases require ERROR beside what they are about. Where only this is broken, it is about none of their requirements.
"""

from rollout_conformance.steps.engine.cases import Case, judge
from rollout_conformance.steps.engine.findings import Cause, Finding
from rollout_conformance.steps.profiles.rollout.view import CaseView, Rollout

ENDS_AS_REPORTED = "ROLLOUT-119"
REJECTED = 400


def _requires_failure(case: Case, view: CaseView, rollout: Rollout) -> bool:
    """Whether the case requires this rollout to fail, and nothing else that it requires is broken as well."""
    required, others = False, list[object]()
    for step in case.expectations:
        failure = getattr(step.what, "demands_failure", False)
        required = required or (failure and getattr(step.what, "rollout", "") in ("", rollout.given.label))
        others += [] if failure else judge(step, view, case.requirements[0])
    return required and not any(isinstance(item, Finding) for item in others)


def _unusable(rollout: Rollout) -> str | None:
    """What the last generation request brought instead of a generation, where it did."""
    last = rollout.chats[-1] if rollout.chats else None
    if last is None or (last.delivered and last.issued is not None and not last.issued.tampered):
        return None
    response = last.exchange.response
    if response is None:
        return "no response"
    return f"status {response.status}" if response.status >= REJECTED else "a body that is no valid generation"


def hidden_failure(accused: str, case: Case, view: CaseView, rollout: Rollout) -> Cause | None:
    """The last generation request of a rollout failed, the case requires ERROR for it, and the rollout is reported as COMPLETED."""
    what = _unusable(rollout)
    if what is None or not rollout.is_completed() or not _requires_failure(case, view, rollout):
        return None
    last, result = rollout.chats[-1], rollout.result
    assert result is not None
    expected = f"status ERROR: the last generation request was answered with {what}"
    finding = Finding(accused, expected, "status COMPLETED", (last.n, result.n))
    reason = "a rollout whose last generation request failed is reported as COMPLETED"
    return Cause(reason, finding, result.n, common=ENDS_AS_REPORTED)
