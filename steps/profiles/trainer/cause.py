"""A generation call that is right, and was not answered as one, or not rightly: what rests on that answer is not judged. Pure.

A refusal (4xx) is for the case to judge, which may have brought it about. A 5xx, a lost connection or a silence has nothing to do with what a
case is about, unless it demands that very status; a trainer that is busy (429, 503) has shown nothing.
"""

from collections.abc import Iterator, Mapping, Sequence

from rollout_conformance.contracts.requirements import Requirement
from rollout_conformance.steps.engine.cases import Case
from rollout_conformance.steps.engine.findings import Cause, Finding
from rollout_conformance.steps.engine.json_diff import show
from rollout_conformance.steps.engine.lenient_json import listed
from rollout_conformance.steps.profiles.trainer import refused_key
from rollout_conformance.steps.profiles.trainer.actions import StartRollout
from rollout_conformance.steps.profiles.trainer.expectations import ControlStatus, GenerationStatus
from rollout_conformance.steps.profiles.trainer.failures import failures
from rollout_conformance.steps.profiles.trainer.invariants.generations import replies
from rollout_conformance.steps.profiles.trainer.rejected_result import rejected_result
from rollout_conformance.steps.profiles.trainer.state import Call, CaseView
from rollout_conformance.steps.profiles.trainer.statuses import fits
from rollout_conformance.steps.profiles.trainer.unended import never_ended

SERVES = "TRAINER-178"
MASK = "TRAINER-185"
ASSIGNED = "TRAINER-184"
ABOUT_KEYS = ("TRAINER-184", "TRAINER-194")  # cases with several rollouts or keys
USAGE = "TRAINER-181"  # nothing else rests on these counts
CONFLICT = 409
BUSY = (429, 503)
SHOWN = 200  # characters of a body


def cause(catalogue: Mapping[str, Requirement], case: Case, view: CaseView) -> Cause | None:
    """The first such call of the case, or the first reply that is wrong in itself: each turn after it begins with what it should have been.
    Before them comes a rollout that never began. None where there is none of it."""
    if view.no_occasion:
        return Cause(view.no_occasion)
    silent = next((part.control for part in view.rollouts.values() if _is_silent(view, part.control)), None)
    about_start = any(_is_about_start(step.what) for step in case.expectations)
    if silent is not None and not about_start:
        return Cause(f"the control request: {view.exchange(silent).fault or 'no response'}", since=silent)
    rejected = next((n for part in view.rollouts.values() if (n := part.control) >= 0 and _is_rejected(view, n)), None)
    if rejected is not None and not about_start:
        status, body = view.answer(rejected)
        if status == CONFLICT and any(
            isinstance(step.what, StartRollout) and step.what.id_ending for step in case.steps
        ):
            return _of_id(rejected, body)
        return Cause(f"the control request was answered {status} {show(body)}: no rollout began", since=rejected)
    if (refused := _refused_key(case, view)) is not None:
        return refused
    wrong = [
        item for item in replies(view) if isinstance(item, Finding) and item.exchanges and item.requirement != USAGE
    ]
    if wrong:
        first = min(wrong, key=lambda item: item.exchanges[0])
        return Cause(f"a reply was wrong: {first.observed}", first, first.exchanges[0], certain=True)
    calls = sorted((call for rollout in view.rollouts.values() for call in rollout.calls), key=lambda call: call.n)
    masked = next((call for part in view.rollouts.values() for call in _rejected_masks(view, part.calls)), None)
    if masked is not None:
        return _of_mask(view, masked)
    if (unreported := rejected_result(case, view)) is not None:
        return unreported
    if (unended := never_ended(case, view)) is not None:
        return unended
    if (unread := _unread_record(case, view)) is not None:
        return unread
    failed = next((item for item in failures(view) if isinstance(item, Finding)), None)
    if failed is not None:
        return Cause(failed.observed, failed, failed.exchanges[0], certain=True)
    lost = next((call for call in calls if call.right and _is_no_answer(view.answer(call.n)[0])), None)
    if lost is None or _is_demanded(case, view.answer(lost.n)[0]):
        return None
    about = case.requirements[0]
    return _of(view, lost, about if "case" in catalogue[about].judged_by else SERVES)


def _refused_key(case: Case, view: CaseView) -> Cause | None:
    """The first generation request of a rollout was right, and its key was refused: neither it nor what follows it shows anything else.
    None where the case demands a rejection of that request."""
    for part in view.rollouts.values():
        call = next(iter(part.calls), None)
        if call is None or not call.right or _first_demand_is(case, part.label, view.answer(call.n)[0]):
            continue
        if told := refused_key.reason(view.exchange(call.n), part, view.source, view.place):
            return Cause(told, since=call.n)
        if refused_key.is_issued(view.exchange(call.n), part) and case.requirements[0] not in ABOUT_KEYS:
            return _of_issued_key(view, call)
    return None


def _of_issued_key(view: CaseView, call: Call) -> Cause:
    status, body = view.answer(call.n)
    observed = f"the first generation request, with the key of the start request, is answered {status} {show(body)}"
    return Cause(observed, Finding(SERVES, "200 to the key that the trainer issued", observed, (call.n,)), call.n)


def _first_demand_is(case: Case, label: str, status: int | None) -> bool:
    demands = [step.what for step in case.expectations if isinstance(step.what, GenerationStatus)]
    return any(fits(status, one.statuses[0]) for one in demands if one.rollout in ("", label) and one.statuses)


def _mask_is_rejected(view: CaseView, call: Call) -> bool:
    """Whether a request with a correct mask was rejected in words that name the mask."""
    response = view.exchange(call.n).response
    if response is None or not call.right or not call.body.get("response_mask") or not 400 <= response.status < 500:
        return False
    return b"mask" in response.body.lower()


def _rejected_masks(view: CaseView, calls: Sequence[Call]) -> Iterator[Call]:
    """The requests of one rollout whose correct mask was rejected. Once a wrong request was answered with 2xx, the trainer has another history
    than we have, and with it another number of inserted tokens."""
    for call in calls:
        if not call.right and 200 <= (view.answer(call.n)[0] or 0) < 300:
            return
        if _mask_is_rejected(view, call):
            yield call


def _of_id(n: int, body: Mapping[str, object]) -> Cause:
    """An id that no rollout ever had, only one that looks like it."""
    observed = f"409 {show(body)} to an id that is new"
    return Cause(observed, Finding(ASSIGNED, "202 to an id that no other rollout has", observed, (n,)), n, certain=True)


def _of_mask(view: CaseView, call: Call) -> Cause:
    length = len(listed(call.body.get("response_mask")))
    status, body = view.answer(call.n)
    observed = f"a correct response_mask of {length} elements is rejected: {status} {show(body)}"
    expected = f"200 to a response_mask with one element for each of the {length} inserted tokens"
    return Cause(observed, Finding(MASK, expected, observed, (call.n,)), call.n, certain=True)


def _is_silent(view: CaseView, control: int) -> bool:
    return control >= 0 and view.answer(control)[0] is None


def _is_rejected(view: CaseView, n: int) -> bool:
    status = view.answer(n)[0]
    return status is not None and status >= 300


def _is_about_start(what: object) -> bool:
    return isinstance(what, ControlStatus) and what.request == "start"


def _is_no_answer(status: int | None) -> bool:
    return status is None or status == 429 or status >= 500


def _unread_record(case: Case, view: CaseView) -> Cause | None:
    """The last reading of a record that the trainer was too busy for, or that had no response: it shows nothing of the rollout."""
    if any(isinstance(what := step.what, ControlStatus) and what.request == "record" for step in case.expectations):
        return None
    for n in (part.records[-1] for part in view.rollouts.values() if part.records):
        status, body = view.answer(n)
        if status is None or status in BUSY:
            told = view.exchange(n).fault or "no response" if status is None else f"{status} {show(body)}"
            return Cause(f"the record of the rollout could not be read: {told}", since=n, again=True)
    return None


def _is_demanded(case: Case, status: int | None) -> bool:
    """Whether the case demands this status of a generation request."""
    demands = [step.what for step in case.expectations if isinstance(step.what, GenerationStatus)]
    return any(fits(status, wanted) for demand in demands for wanted in demand.statuses)


def _of(view: CaseView, call: Call, accused: str) -> Cause:
    exchange = view.exchange(call.n)
    if exchange.response is None:
        observed = f"a generation request: {exchange.fault or 'no response'}"
    else:
        body = exchange.response.body[:SHOWN].decode("utf-8", "replace")
        observed = f"a generation request returned {exchange.response.status}: {body}"
        if exchange.response.status in BUSY:
            return Cause(f"the trainer was busy: {observed}", since=call.n, again=True)
    return Cause(observed, Finding(accused, "the generation request returns 200", observed, (call.n,)), call.n)
