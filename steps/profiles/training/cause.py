"""Why a case ended early: the first call that did not end as the case gives reason for. Nothing that rests on it is judged."""

from rollout_conformance.steps.engine.cases import Case
from rollout_conformance.steps.engine.findings import Cause, Finding
from rollout_conformance.steps.http.checks import ResponseExpectation
from rollout_conformance.steps.http.expectations import Status, allowed_statuses
from rollout_conformance.steps.profiles.training.arrival import permuted
from rollout_conformance.steps.profiles.training.expectations import (
    CARRIED_OUT,
    LOOP,
    RESULT_MEMBERS,
    CarriedOut,
    CarriedOutOrRejected,
    PendingOrResult,
    Rejected,
    is_first_evaluation,
)
from rollout_conformance.steps.profiles.training.numeric_expectations import EffectOrRejection
from rollout_conformance.steps.profiles.training.responses import SIGNAL, TrainingResponse
from rollout_conformance.steps.profiles.training.view import TrainingView

BUSY = frozenset({429, 503})
FUTURES = ("TRAINING-027", "TRAINING-158")
TINKER = {
    "create_session": "session_id",
    "create_model": "model_id",
    "forward": "loss_fn_outputs",
    "forward_backward": "loss_fn_outputs",
    "measure": "loss_fn_outputs",
    "save": "path",
    "sample": "sequences",
}
SUBMITTED = (
    "create_model",
    "forward",
    "forward_backward",
    "measure",
    "optim_step",
    "save",
    "save_for_sampler",
    "load",
    "sample",
)
"""The calls of `tinker-json` whose result comes by a future: the SDK polls the request_id of the response."""
RUNS = {
    "create_model": "run_id",
    "forward_backward": "loss",
    "measure": "loss",
    "optim_step": "step",
    "sample": "token_ids",
}

TEXTS = frozenset({"session_id", "model_id", "request_id", "path", "run_id"})


def cause(case: Case, view: TrainingView) -> Cause | None:
    if not case.requirements:
        return None
    found = next((found for one in view.judged if (found := _cause(case, view, one)) is not None), None)
    if found is None and view.stopped and not _option_rejected(case, view):
        return Cause(f"the case could not continue without {view.stopped}")
    return found


def _option_rejected(case: Case, view: TrainingView) -> bool:
    """Whether the case is about what a server may reject, and it was rejected: then the calls that need it are not made."""
    options = [step.what.option for step in case.expectations if isinstance(step.what, EffectOrRejection)]
    options += [
        one for step in case.expectations if isinstance(step.what, CarriedOutOrRejected) for one in step.what.of
    ]
    return any(one.outcome == "rejected" for one in view.named(*options))


def _cause(case: Case, view: TrainingView, response: TrainingResponse) -> Cause | None:
    if response.outcome == "done":
        return None if _may_be_pending(case, view, response) else _without_member(case, response)
    if view.alone and response.status in BUSY and _is_after_limit(case, view, response):
        return None
    if response.status in BUSY and not _is_named(case, view, response):
        return Cause(f"the target returned {response.status} by itself", since=response.n, again=True)
    if response.verb == "create_model" and _may_lack_room(view) and not _may_be_rejected(case, view, response):
        return Cause("the target may have had no room for another model", since=response.n, again=True)
    if _is_judged(case, view, response):
        return None
    if response.status == 401 and view.context.target_key is None:
        return Cause("the target requires a key (401): give it with --target-key", since=response.n)
    return _failed(case, view, response)


def _may_lack_room(view: TrainingView) -> bool:
    """Whether models of other cases may be why another one was rejected: of a target that is known to have room for few."""
    return view.context.left.room is not None and not view.alone


def _may_be_rejected(case: Case, view: TrainingView, response: TrainingResponse) -> bool:
    """Whether the case demands or accepts that a call is rejected."""
    ends = [step.what for step in case.expectations if isinstance(step.what, Rejected | CarriedOutOrRejected)]
    return any(response in view.named(*one.of) for one in ends)


def _failed(case: Case, view: TrainingView, response: TrainingResponse) -> Cause:
    """A call that is not carried out accuses what the case is about; one that only prepares it, the loop as a whole."""
    prepares = response.verb in ("create_session", "create_model") or is_first_evaluation(view, response)
    requirement = LOOP if prepares else case.requirements[0]
    silent = response.outcome in ("pending", "lost") and "within" in f"{response.fault} {response.came_to()}"
    # Calls that arrive in another order are kept in theirs for a while only: on a busy machine they may come too late for that.
    timing = silent or permuted(view)
    finding = Finding(requirement, CARRIED_OUT, f"{response.verb}: {response.came_to()}", (response.n,), timing=timing)
    status = response.status if response.outcome != "pending" else "no result"
    return Cause(f"{response.verb} ended with {status or 'no response'} ({response.outcome})", finding, response.n)


def _may_be_pending(case: Case, view: TrainingView, response: TrainingResponse) -> bool:
    """Whether the case accepts that a poll finds no result yet."""
    return any(
        isinstance(one.what, PendingOrResult) and response in view.named(*one.what.of) for one in case.expectations
    )


def _without_member(case: Case, response: TrainingResponse) -> Cause | None:
    """A success without the member that all else is computed from. In a case about futures it is an empty result."""
    if response.rows and any("logprobs" not in one for one in response.outputs):
        expected = f"a result of {response.verb} whose outputs have `logprobs`"
        finding = Finding(RESULT_MEMBERS, expected, response.shown(), (response.n,))
        return Cause(f"{response.verb} returned no logprobs", finding, response.n, certain=True)
    member = (RUNS if response.dialect == SIGNAL else TINKER).get(response.verb)
    if response.dialect != SIGNAL and response.verb in SUBMITTED and not response.request_id:
        member = "request_id"
    if member is None or _present(member, response.result.get(member)):
        return None
    expected = f"a result of {response.verb} with `{member}`{' as text' if member in TEXTS else ''}"
    requirement = next((one for one in case.requirements if one in FUTURES), RESULT_MEMBERS)
    finding = Finding(requirement, expected, response.shown(), (response.n,))
    return Cause(f"{response.verb} returned no {member}", finding, response.n, certain=True)


def _present(member: str, value: object) -> bool:
    return isinstance(value, str) if member in TEXTS else value is not None


def _is_named(case: Case, view: TrainingView, response: TrainingResponse) -> bool:
    """Whether the case demands the very status of a response."""
    named = [step.what for step in case.expectations if isinstance(step.what, Status | Rejected)]
    return any(response.status in allowed_statuses(one.statuses) for one in named if response in view.named(*one.of))


def _is_after_limit(case: Case, view: TrainingView, response: TrainingResponse) -> bool:
    """Whether the case takes all the room that the target has, by itself, and demands that this call has room again."""
    fills = [step.what for step in case.expectations if isinstance(step.what, Status | Rejected)]
    carried_out = [step.what for step in case.expectations if isinstance(step.what, CarriedOut)]
    limited = any(not BUSY.isdisjoint(allowed_statuses(one.statuses)) for one in fills)
    return limited and any(response in view.named(*one.of) for one in carried_out)


def _is_judged(case: Case, view: TrainingView, response: TrainingResponse) -> bool:
    """Whether an expectation of the case is about how this call ends."""
    for step in case.expectations:
        what = step.what
        if isinstance(what, EffectOrRejection) and response in view.named(what.option):
            return True
        if isinstance(what, ResponseExpectation) and _judges_ends(what) and response in view.named(*what.of):
            return True
    return False


def _judges_ends(expectation: ResponseExpectation) -> bool:
    return isinstance(expectation, Status) or expectation.may_be_rejected
