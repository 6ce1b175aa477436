"""A rollout that its trainer did not end at its timeout: what comes after that timeout rests on its end, and is not judged. Pure."""

from rollout_conformance.steps.engine.cases import Case
from rollout_conformance.steps.engine.findings import Cause, Finding
from rollout_conformance.steps.profiles.trainer.actions import ReadRecord, ReportEnd, StartRollout
from rollout_conformance.steps.profiles.trainer.state import CaseView

TIMEOUT = "TRAINER-198"


def never_ended(case: Case, view: CaseView) -> Cause | None:
    """TRAINER-198 broken by the first rollout that was given a timeout and no result, and whose record, read until it shows an end, did not
    come to show one. None where there is no such rollout."""
    at = next((n for label in _awaited(case) if (n := _still_running(view, label)) is not None), None)
    if at is None:
        return None
    expected = "status TIMEOUT or ERROR in the record after the timeout of the rollout"
    finding = Finding(TIMEOUT, expected, 'status "running" in the last of the readings', (at,))
    return Cause("the trainer did not end the rollout at its timeout", finding, at, certain=True)


def _awaited(case: Case) -> list[str]:
    """The rollouts that only their timeout can have ended when their end is waited for."""
    timed: set[str] = set()
    awaited = []
    for step in case.steps:
        if isinstance(what := step.what, StartRollout) and what.timeout_s is not None:
            timed.add(what.rollout)
        elif isinstance(what, ReportEnd):
            timed.discard(what.rollout)
        elif isinstance(what, ReadRecord) and what.wait_for_end and what.rollout in timed:
            awaited.append(what.rollout)
    return awaited


def _still_running(view: CaseView, label: str) -> int | None:
    rollout = view.rollouts.get(label)
    if rollout is None or not rollout.records:
        return None
    status, body = view.answer(rollout.records[0])
    return rollout.records[0] if status == 200 and body.get("status") == "running" else None
