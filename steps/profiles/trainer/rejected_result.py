"""A correct completed callback that the trainer rejects: the rollout then has no result, and what follows one is not judged. Pure."""

from rollout_conformance.steps.engine.cases import Case
from rollout_conformance.steps.engine.findings import Cause, Finding
from rollout_conformance.steps.engine.json_diff import show
from rollout_conformance.steps.profiles.trainer.actions import ReportEnd
from rollout_conformance.steps.profiles.trainer.state import CaseView, RolloutState

ACCEPTS_RESULTS = "TRAINER-191"
NO_SUCH_PATH = (404, 405, 501)
TERMINAL = ("COMPLETED", "ERROR")
NO_RESULTS = "A proxy that has no completed callback is judged with `dialects: [sync]` on its card"


def rejected_result(case: Case, view: CaseView) -> Cause | None:
    for rollout in view.rollouts.values():
        if (n := _first_correct(case, view, rollout)) is not None and 300 <= (view.answer(n)[0] or 0) < 500:
            return _of(view, n)
    return None


def _first_correct(case: Case, view: CaseView, rollout: RolloutState) -> int | None:
    """The first completed callback of a rollout with nothing wrong in it, None where the trainer accepted another one before it."""
    reports = [
        step.what for step in case.steps if isinstance(step.what, ReportEnd) and step.what.rollout == rollout.label
    ]
    for report, n in zip(reports, rollout.callbacks, strict=False):
        if _is_correct(report):
            return n
        if 200 <= (view.answer(n)[0] or 0) < 300:
            return None
    return None


def _is_correct(report: ReportEnd) -> bool:
    """Whether a completed callback is one that every trainer has to accept; what other members do is left to the case."""
    own = report.key == "own" and not report.rollout_id
    return own and report.status in TERMINAL and not (report.members or report.raw_reward)


def _of(view: CaseView, n: int) -> Cause:
    status, body = view.answer(n)
    observed = f"a correct completed callback is answered {status} {show(body)}"
    told = f"{observed}. {NO_RESULTS}" if view.source == "open" and status in NO_SUCH_PATH else observed
    return Cause(observed, Finding(ACCEPTS_RESULTS, "200 to a completed callback", told, (n,)), n, certain=True)
