"""Why a rollout ended otherwise than its case gives reason for. What a case demands of a rollout that failed by itself is not judged.

Pure. A case gives reason for an end by a fault of the trainer, by what it changes in a reply, by stopping or cancelling, or by an
expectation that admits the end.
"""

from collections.abc import Iterator, Mapping
from itertools import pairwise, takewhile

from rollout_conformance.contracts.requirements import Requirement
from rollout_conformance.steps.engine.cases import Case
from rollout_conformance.steps.engine.findings import Cause, Finding
from rollout_conformance.steps.engine.json_diff import show
from rollout_conformance.steps.engine.lenient_json import mapping
from rollout_conformance.steps.engine.trace import NotJson, parse
from rollout_conformance.steps.peers.token_oracle import Issued
from rollout_conformance.steps.peers.trainer import HUNG_UP
from rollout_conformance.steps.profiles.rollout.actions.requests import StopServer
from rollout_conformance.steps.profiles.rollout.agent_time import (
    OUT_OF_TIME,
    is_out_of_time,
    is_overdue,
    not_ended_in_time,
)
from rollout_conformance.steps.profiles.rollout.hidden_failure import ENDS_AS_REPORTED, hidden_failure
from rollout_conformance.steps.profiles.rollout.invariants.event_order import restarted
from rollout_conformance.steps.profiles.rollout.invariants.leased import outlived_lease
from rollout_conformance.steps.profiles.rollout.poll_cause import body_text, invalid_poll, not_answered_with_status
from rollout_conformance.steps.profiles.rollout.start_request import StartOverrides
from rollout_conformance.steps.profiles.rollout.unlisted_tool import unlisted_tool
from rollout_conformance.steps.profiles.rollout.view import Answer, CaseView, Post, Rollout
from rollout_conformance.steps.profiles.rollout.wrongly_accepted import expectations_of, wrongly_accepted

ENDS_BY_ITSELF = "ROLLOUT-231"
NO_RESULT = "ROLLOUT-125"  # a rollout that failed after it was accepted is answered 200 too
RESULTS = {
    "callback": "ROLLOUT-136",
    "routed": "ROLLOUT-213",
    "leased": "ROLLOUT-279",
}  # a result for every rollout that was accepted
ISOLATED = "ROLLOUT-240"  # one that another rollout ended
NOT_RETRIED = "ROLLOUT-084"
RETRIED = "ROLLOUT-086"
NO_RETRY_OWED = (
    "a sync server does not have to retry; leave out this dialect (`dialects:`, `@callback`), or the failure"
)
RETRIES_ARE_LIMITED = "any limited number of retries will do"
CANCELS_ALL = "ROLLOUT-226"
LEASE_ENDED = "ROLLOUT-280"
STATUSES = ("COMPLETED", "ERROR")
UNKNOWN_STATUS = {"routed": "ROLLOUT-214", "leased": "ROLLOUT-279"}  # these dialects have statuses of their own
FULL = (429, 503)
REJECTED = 400
AGAIN = (408, 409, 429)  # what may be retried
SERVER_ERROR = 500
SHOWN = 200  # characters of a body


def cause(catalogue: Mapping[str, Requirement], case: Case, view: CaseView) -> Cause | None:
    """The first end in the trace that the case gives no reason for, or what the case itself lacks."""
    if unlisted := unlisted_tool(case, view):
        return unlisted
    found = [one for rollout in view.rollouts.values() for one in _of(_accused(catalogue, case), case, view, rollout)]
    return min(found, key=lambda one: one.since) if found else None


def _accused(catalogue: Mapping[str, Requirement], case: Case) -> str:
    """The requirement of the case, where its own expectations judge it; what an invariant judges is not shown broken by an early end."""
    about = case.requirements[0]
    return about if "case" in catalogue[about].judged_by else ENDS_BY_ITSELF


def _of(accused: str, case: Case, view: CaseView, rollout: Rollout) -> Iterator[Cause]:
    admitted, demanded = _expected(case, rollout)
    if wrongly := wrongly_accepted(case, rollout):
        yield wrongly
    elif _broke_down(rollout, "error" in admitted and "rejected" not in admitted) and not _ended_by_case(
        case, view, rollout
    ):
        yield _no_result(rollout)
    elif not rollout.chats and rollout.starts and not rollout.accepted:
        if "rejected" not in admitted and (demanded or _ordinary(rollout) or _is_no_rejection(rollout.starts[-1])):
            yield _not_begun(accused, view, rollout)
    elif rollout.result is not None and isinstance(rollout.result.body, NotJson):
        yield _unreadable(rollout, rollout.result.body)
    elif rollout.result is not None and rollout.result.fields.get("status") not in STATUSES:
        yield _no_status(rollout, rollout.result)
    elif (changed := _changed_retry(rollout)) is not None:
        yield changed
    elif (poll := invalid_poll(rollout)) is not None and rollout.result is None:
        yield not_answered_with_status(rollout, poll)
    elif (failure := hidden_failure(accused, case, view, rollout)) is not None:
        yield failure
    elif view.wait_timeouts and rollout.result is None and rollout.accepted and is_overdue(rollout):
        yield not_ended_in_time(view, rollout)
    elif rollout.is_error() and is_out_of_time(view, rollout):
        reason = "the time that the case gave the agent had passed before it requested a generation"
        yield Cause(reason, since=len(view.trace.exchanges), again=True)
    elif (
        rollout.is_error()
        and not _ended_by_case(case, view, rollout)
        and _by_itself(rollout, admitted, demanded or (bool(view.wait_timeouts) and not _rejected_call(rollout)))
    ):
        yield _failed(accused, rollout)
    elif view.wait_timeouts and rollout.result is None and rollout.starts and not _held(rollout):
        yield _silent(accused, view, rollout)


def _is_no_rejection(start: Answer) -> bool:
    """Whether a response says nothing of the start request: the server is full, or failed by itself."""
    return start.status in FULL or (start.status or 0) >= SERVER_ERROR


def _ordinary(rollout: Rollout) -> bool:
    return rollout.given.overrides == StartOverrides()


def _changed_retry(rollout: Rollout) -> Cause | None:
    """What a trainer answers to another request than the one that failed shows nothing of what the case is about."""
    if rollout.dialect == "sync" or restarted(rollout):
        return None
    for first, again in pairwise(rollout.chats):
        bodies = first.exchange.request.body, again.exchange.request.body
        if not first.delivered and first.issued is None and bodies[0] != bodies[1] and first.body != again.body:
            expected, observed = (
                f"the same {len(bodies[0])} bytes as in the call that failed",
                f"{len(bodies[1])} bytes",
            )
            finding = Finding(RETRIED, expected, f"{observed}: {_text(bodies[1])}", (first.n, again.n))
            return Cause("a generation request was retried with another body", finding, again.n, certain=True)
    return None


def _held(rollout: Rollout) -> bool:
    """Whether it is the trainer that keeps the rollout waiting."""
    return bool(rollout.chats) and rollout.chats[-1].exchange.ended is None


def _expected(case: Case, rollout: Rollout) -> tuple[set[str], bool]:
    """The ends that the expectations about this rollout admit, and whether one of them demands that it completes."""
    admitted, demanded = set[str](), False
    for what in expectations_of(case, rollout):
        admitted |= set(getattr(what, "admits", ()))
        demanded = demanded or bool(getattr(what, "demands_completion", False))
    return admitted, demanded


def _ended_by_case(case: Case, view: CaseView, rollout: Rollout) -> bool:
    """Whether the case cancelled the rollout or stopped the server. What follows a wait in vain was not performed."""
    stopped = not view.wait_timeouts and any(isinstance(step.what, StopServer) for step in case.actions)
    return stopped or any(event.name == "CancelSent" for event in rollout.events)


def _by_itself(rollout: Rollout, admitted: set[str], demanded: bool) -> bool:
    """`demanded`: the case rests on the rollout completing, or waited for something of it in vain."""
    if demanded:
        return True
    if "error" in admitted:  # for the fault in its script, and it did not come to that
        return rollout.scripted_fault and not _provoked(rollout)
    return not _provoked(rollout)


def _provoked(rollout: Rollout) -> bool:
    """Whether the script gives reason for an ERROR: a call that failed, or a reply that no trainer would give."""
    return rollout.given.overrides != StartOverrides() or any(
        not chat.delivered
        or chat.issued is None
        or chat.issued.tampered
        or _odd_arguments(chat.issued)
        or chat.issued.finish_reason not in ("stop", "tool_calls")
        or (
            rollout.dialect == "sync" and not (chat.issued.canonical and chat.issued.end_token)
        )  # ROLLOUT-062: it drifts
        for chat in rollout.chats
    )


def _odd_arguments(issued: Issued) -> bool:
    """Whether a call has its arguments as another type than a string, which a server may reject (ROLLOUT-071)."""
    functions = [mapping(mapping(call).get("function")) for call in issued.calls]
    return any(not isinstance(function.get("arguments"), str) for function in functions)


def _not_begun(accused: str, view: CaseView, rollout: Rollout) -> Cause:
    last = rollout.starts[-1]
    if last.status is None and (waits := _waits_its_turn(accused, view, rollout)):
        return Cause(waits)
    if last.status in FULL:
        reason = f"the target answered {last.status} to the start request by itself, however often it was sent"
        return Cause(reason, since=last.n, again=view.crowded > 0)
    observed = (
        f"the start was answered {last.status}: {body_text(last)}"
        if last.status
        else f"the start: {last.exchange.fault or 'no answer'}"
    )
    return Cause(observed, Finding(accused, "the start accepted, and the rollout run", observed, (last.n,)), last.n)


def _unreadable(rollout: Rollout, body: NotJson) -> Cause:
    """A result that is not JSON shows nothing that could be judged."""
    assert rollout.result is not None
    n, what = rollout.result.n, "answer" if rollout.dialect == "sync" else "completion"
    observed = f"the {what} that should bring the result is {body}"
    return Cause(observed, Finding(RESULTS.get(rollout.dialect, NO_RESULT), "a result in JSON", observed, (n,)), n)


def _no_status(rollout: Rollout, result: Answer | Post) -> Cause:
    """A result that tells neither a success nor a failure shows nothing of what a case demands of the end."""
    said = result.fields.get("said_status", result.fields.get("status"))
    observed = f"status: {show(said)}"
    own = UNKNOWN_STATUS.get(rollout.dialect)
    expected = "status success, failure or cancelled" if own else "status COMPLETED or ERROR"
    finding = Finding(own or ENDS_AS_REPORTED, expected, observed, (result.n,))
    return Cause(f"the result has the {observed}", finding, result.n, certain=True)


def _broke_down(rollout: Rollout, runs: bool) -> bool:
    """Whether a sync rollout was answered by an error of the server in place of a result: one that got as far as a generation call, or
    that the case means to be run into an ERROR."""
    last = rollout.starts[-1].status if rollout.starts else None
    begun = bool(rollout.chats) or runs
    return rollout.dialect == "sync" and begun and rollout.result is None and (last or 0) >= 500 and last not in FULL


def _no_result(rollout: Rollout) -> Cause:
    start = rollout.starts[-1]
    observed = f"HTTP {start.status}: {body_text(start)}"
    return Cause(observed, Finding(NO_RESULT, "HTTP 200 with status COMPLETED or ERROR", observed, (start.n,)), start.n)


def _failed(accused: str, rollout: Rollout) -> Cause:
    result = rollout.result
    assert result is not None
    observed = f"the rollout ended in ERROR: {show(result.fields.get('error_message'))}"
    before = [chat.n for chat in rollout.chats]
    expected = "COMPLETED: no generation call failed, and no limit was reached"
    since = max([*(n + 1 for n in before), result.n])  # a sync result is the response to the first request
    failed = _failed_call(rollout)
    if failed is None and accused == ENDS_BY_ITSELF and outlived_lease(rollout):
        accused = LEASE_ENDED
    if failed is not None and rollout.dialect == "sync" and accused == ENDS_BY_ITSELF:
        return Cause(f"{observed}, after {failed} of the trainer: {NO_RETRY_OWED}", since=since)
    if failed is not None and (retries := _retries(rollout)) and rollout.dialect != "sync":
        return Cause(
            f"{observed}, after {retries} of a call that failed ({failed}): {RETRIES_ARE_LIMITED}", since=since
        )
    if failed is not None:
        expected = f"the generation call that failed ({failed}) retried, and COMPLETED"
        accused = accused if rollout.dialect == "sync" else NOT_RETRIED
    return Cause(
        observed,
        Finding(accused, expected, observed, (*before[-1:], result.n)),
        since,
        certain=failed is not None or accused == ISOLATED,
        beside=True,
    )


def _rejected_call(rollout: Rollout) -> bool:
    """Whether the trainer rejected the last generation call for good, which ends a rollout whatever the case waits for afterwards."""
    response = rollout.chats[-1].exchange.response if rollout.chats else None
    return response is not None and REJECTED <= response.status < SERVER_ERROR and response.status not in AGAIN


def _failed_call(rollout: Rollout) -> str | None:
    """How the last generation call failed, where the trainer failed in a way that a server has to retry."""
    last = rollout.chats[-1] if rollout.chats else None
    if last is None or last.delivered:
        return None
    if last.exchange.response is None:
        return "the connection was lost" if last.exchange.fault != HUNG_UP else None
    status = last.exchange.response.status
    return f"status {status}" if status >= SERVER_ERROR else None


def _retries(rollout: Rollout) -> str:
    """How often the server retried the generation call that failed last, "" if it did not."""
    attempts = sum(1 for _ in takewhile(lambda chat: not chat.delivered, reversed(rollout.chats)))
    return f"{attempts - 1} {'retry' if attempts == 2 else 'retries'}" if attempts > 1 else ""


def _silent(accused: str, view: CaseView, rollout: Rollout) -> Cause:
    """A rollout that did not end while the case waited. One that had not even begun may have waited for a slot."""
    if view.crowded and rollout.accepted and not rollout.chats:
        reason = f"the rollout was accepted and did not begin while {view.crowded} others of this run were in flight"
        return Cause(reason, since=len(view.trace.exchanges), again=True)
    if waits := _waits_its_turn(accused, view, rollout):
        return Cause(waits)
    _, what = view.wait_timeouts[0]
    requirement = RESULTS.get(rollout.dialect, accused) if accused == ENDS_BY_ITSELF else accused
    observed = f"none within {view.patience_s:g} s of silence"
    last = max([start.n for start in rollout.starts] + [chat.n for chat in rollout.chats])
    if (cancelled := _cancelled_with_all(view, rollout)) is not None:
        requirement, last = CANCELS_ALL, max(last, cancelled)
    return Cause(f"{what}: {observed}", Finding(requirement, what, observed, (last,), timing=True), last + 1)


def _cancelled_with_all(view: CaseView, rollout: Rollout) -> int | None:
    """The request that cancelled all rollouts, this one among them, where the server accepted it: what it did not end is what that broke."""
    sent = [event.exchange for event in rollout.events if event.name == "CancelSent"]
    for exchange in (view.trace.exchanges[n] for n in sent if n < len(view.trace.exchanges)):
        accepted = exchange.response is not None and exchange.response.status < REJECTED
        if accepted and mapping(parse(exchange.request.body)).get("all") is True:
            return exchange.n
    return None


def _waits_its_turn(accused: str, view: CaseView, rollout: Rollout) -> str:
    """Why a rollout may be waiting for a slot of other rollouts of its case, whose responses the trainer holds: few slots are no fault.
    A case that is about this is judged where the target declares that it has more of them."""
    if accused == OUT_OF_TIME and rollout.given.body.get("agent_timeout_sec"):
        return ""  # the time in a queue is part of what the start request gives
    held = sum(_held(other) for other in view.rollouts.values())
    slots = view.limits.max_concurrent
    if rollout.chats or not held or (slots is None and accused != ENDS_BY_ITSELF) or (slots or 0) > held:
        return ""
    known = f"; the card declares max_concurrent {slots}" if slots is not None else ""
    return f"a rollout did not begin while the case kept {held} others waiting for their generations{known}"


def _text(body: bytes) -> str:
    return body[:SHOWN].decode("utf-8", "replace")
