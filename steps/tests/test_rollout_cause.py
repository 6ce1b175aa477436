"""Why a rollout ended otherwise than its case gives reason for: each kind of end, by what the case says of it."""

from dataclasses import replace
from typing import Any

import pytest

from rollout_conformance.contracts.requirements import Requirement
from rollout_conformance.steps.engine.cases import Case, Step
from rollout_conformance.steps.engine.findings import Cause, Location
from rollout_conformance.steps.engine.trace import Request
from rollout_conformance.steps.peers.script import Fault, Reply, Script
from rollout_conformance.steps.profiles.rollout.actions.requests import StopServer
from rollout_conformance.steps.profiles.rollout.cause import cause
from rollout_conformance.steps.profiles.rollout.expectations.start_responses import RejectedOrRun, StartRejected
from rollout_conformance.steps.profiles.rollout.expectations.termination import CallbackStatus, Completed, Ended, Failed
from rollout_conformance.steps.profiles.rollout.profile import PROFILE
from rollout_conformance.steps.profiles.rollout.start_request import START_PATH, StartOverrides
from rollout_conformance.steps.profiles.rollout.view import CaseView
from rollout_conformance.steps.tests.heavy.rollout import Played

AT = Location("case", 1)
MINE, OF_AN_INVARIANT, BY_ITSELF = "R-1", "R-2", "ROLLOUT-231"
DONE = Script((Reply(text="Done."), Reply(text="Done.")))
NOTHING: tuple[Any, ...] = ()


def entry(name: str, *judged_by: Any) -> Requirement:
    return replace(PROFILE.catalogue[BY_ITSELF], id=name, judged_by=judged_by)


CATALOGUE = {MINE: entry(MINE, "case"), OF_AN_INVARIANT: entry(OF_AN_INVARIANT, "invariant")}


def case(*what: Any, about: str = MINE) -> Case:
    """A case that does or demands this."""
    return Case("it", "rollout", "sync", (about,), tuple(Step(one, AT) for one in what), AT)


def found(view: CaseView, *what: Any, about: str = MINE) -> Cause | None:
    return cause(CATALOGUE, case(*what, about=about), view)


def accused(one: Cause | None) -> str | None:
    """The requirement, "" where nothing is accused, None where there is no cause."""
    return None if one is None else one.finding.requirement if one.finding else ""


def with_wish(view: CaseView, **wishes: Any) -> CaseView:
    """The same, and the case had asked for something else than the ordinary start request."""
    it = view.rollouts[""]
    given = replace(it.given, overrides=StartOverrides(**wishes))
    return replace(view, rollouts={"": replace(it, given=given)})


def waited(view: CaseView, what: str, crowded: int = 0) -> CaseView:
    """The same, and the case waited in vain."""
    return replace(view, wait_timeouts=(("", what),), patience_s=3.0, crowded=crowded)


# -------------------------------------------------------------------------------------------------- it did not begin


def answered(status: int, body: Any = "no") -> CaseView:
    """A start that was answered so, and no rollout."""
    one = Played("sync", DONE)
    one.start(status, body)
    return one.view()


@pytest.mark.parametrize("status", [400, 401, 404, 422, 500, 502])
@pytest.mark.parametrize(
    ("demands", "accuses"),
    [
        (NOTHING, MINE),
        ((Completed(),), MINE),
        ((Failed(),), MINE),  # the end that the case is about is one of a rollout that ran
        ((StartRejected(),), None),
        ((RejectedOrRun(),), None),
    ],
    ids=["nothing", "completed", "failed", "refused", "refused or run"],
)
def test_an_ordinary_start_is_accepted_unless_the_case_admits_a_refusal(
    status: int, demands: tuple[Any, ...], accuses: str | None
) -> None:
    if status >= 500 and demands == (Failed(),):
        accuses = "ROLLOUT-125"  # a rollout that is to fail is answered 200 with status ERROR
    assert accused(found(answered(status), *demands)) == accuses


@pytest.mark.parametrize("status", [500, 502, 504])
def test_a_start_that_differs_is_rejected_or_run_and_is_no_error_of_the_server(status: int) -> None:
    assert accused(found(with_wish(answered(status), body={"seed": 9}))) == MINE
    assert accused(found(with_wish(answered(422), body={"seed": 9}))) is None


@pytest.mark.parametrize(("demands", "accuses"), [(NOTHING, None), ((Completed(),), MINE), ((StartRejected(),), None)])
def test_a_start_that_differs_may_be_refused_unless_its_rollout_has_to_complete(
    demands: tuple[Any, ...], accuses: str | None
) -> None:
    assert accused(found(with_wish(answered(422), body={"temperature": 9}), *demands)) == accuses


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(("crowded", "again"), [(0, False), (3, True)])
def test_a_target_that_is_full_is_accused_of_nothing(status: int, crowded: int, again: bool) -> None:
    one = found(replace(answered(status), crowded=crowded), Completed())
    assert one is not None
    assert (one.finding, one.again, one.since) == (None, again, 0)
    assert str(status) in one.reason


@pytest.mark.parametrize("status", [429, 503])
def test_a_target_that_is_full_is_accused_of_nothing_that_the_case_requires_of_another_start(status: int) -> None:
    """A case fills the slots and requires that a further rollout, with a short time, ends in the queue: a server may have none."""
    one = found(with_wish(answered(status), body={"agent_timeout_sec": 0.5}), CallbackStatus(("failure",)))
    assert one is not None
    assert one.finding is None
    assert str(status) in one.reason


def test_a_start_that_was_lost_is_told_with_its_fault() -> None:
    one = Played("sync", DONE)
    n = one.trace.open(Request("POST", START_PATH["sync"]), to_target=True)
    one.trace.close(n, fault="ConnectionResetError: reset")
    lost = found(one.view(), Completed())
    assert lost is not None
    assert lost.reason == "the start: ConnectionResetError: reset"


def test_a_refusal_is_shown_with_its_beginning() -> None:
    one = found(answered(422, "x" * 1000))
    assert one is not None
    assert one.reason.startswith("the start was answered 422: ")
    assert len(one.reason) < 300


def test_a_rollout_that_completed_has_no_cause() -> None:
    assert found(completed()) is None
    assert found(completed(), Failed()) is None  # that it had to fail is for the case to say


def completed() -> CaseView:
    one = Played("sync", DONE)
    one.ask()
    one.end()
    return one.view()


@pytest.mark.parametrize("status", ["completed", "error", "DONE", None, 7])
def test_a_result_with_a_status_of_its_own_is_accused_as_that_whatever_the_case_demands(status: Any) -> None:
    one = Played("sync", DONE)
    one.ask()
    one.end(status=status)
    for demands in ((Completed(),), (Failed(),), NOTHING):
        assert accused(found(one.view(), *demands)) == "ROLLOUT-119"


def test_a_completion_with_an_unknown_status_is_accused_by_the_requirement_of_its_dialect() -> None:
    one = Played("routed", DONE)
    one.ask()
    one.start(202, {})
    one.post("/v1/rollout/completed", {"rollout_id": one.given.rollout_id, "status": "SUCCESS"})
    assert accused(found(one.view(), Completed())) == "ROLLOUT-214"


# ------------------------------------------------------------------------------------------------- it ended in ERROR


ORDINARY: dict[str, Reply | Fault] = {
    "a text": Reply(text="Done."),
    "another stop": Reply(text="Done.", finish="stop"),
}


def failed(dialect: str = "sync", reply: Reply | Fault = ORDINARY["a text"], message: Any = "no tool") -> CaseView:
    """One generation call, answered so, and an ERROR."""
    one = Played(dialect, Script((reply,)))
    if isinstance(reply, Fault):
        fault_asked(one)
    else:
        one.ask()
    one.end(status="ERROR", finish_reason="error", error_message=message)
    return one.view()


def fault_asked(one: Played) -> None:
    play = one.trainer.receive(one._request("/v1/chat/completions", {"messages": one.messages}))
    play.delivered()


PROVOKING: dict[str, Reply | Fault] = {
    "a status": Fault(status=500),
    "a length": Reply(text="Done.", finish="length"),
    "an unknown reason": Reply(text="Done.", finish="content_filter"),
    "a member put": Reply(text="Done.", put={"usage": None}),
    "a member dropped": Reply(text="Done.", drop=("usage",)),
}


@pytest.mark.parametrize("reply", ORDINARY.values(), ids=[*ORDINARY])
@pytest.mark.parametrize(
    ("demands", "accuses"),
    [(NOTHING, MINE), ((Completed(),), MINE), ((Failed(),), None), ((Ended(),), None)],
    ids=["nothing", "completed", "failed", "ended"],
)
def test_an_error_after_ordinary_replies_is_the_servers_own(
    reply: Reply, demands: tuple[Any, ...], accuses: str | None
) -> None:
    assert accused(found(failed(reply=reply), *demands)) == accuses


@pytest.mark.parametrize("reply", PROVOKING.values(), ids=[*PROVOKING])
@pytest.mark.parametrize(
    ("demands", "accuses"),
    [(NOTHING, None), ((Completed(),), MINE), ((Failed(),), None), ((Ended(),), None)],
    ids=["nothing", "completed", "failed", "ended"],
)
def test_an_error_that_the_script_gives_reason_for_is_right_unless_the_case_demands_completion(
    reply: Reply | Fault, demands: tuple[Any, ...], accuses: str | None
) -> None:
    assert accused(found(failed(reply=reply), *demands)) == accuses


def test_a_wish_of_the_start_gives_reason_too() -> None:
    assert found(with_wish(failed(), budget=(1, 0))) is None
    assert accused(found(with_wish(failed(), budget=(1, 0)), Completed())) == MINE


def test_a_fault_that_it_did_not_come_to_gives_no_reason() -> None:
    """The case admits an ERROR for the fault in its script; this one came before it."""
    early = failed()
    early = replace(early, rollouts={"": replace(early.it, scripted_fault=True)})
    assert accused(found(early, Failed())) == MINE
    late = failed(reply=Fault(status=500))
    late = replace(late, rollouts={"": replace(late.it, scripted_fault=True)})
    assert found(late, Failed()) is None


@pytest.mark.parametrize("dialect", ["sync", "callback", "routed"])
def test_an_error_is_read_in_every_dialect(dialect: str) -> None:
    members = {"status": "failure", "err_message": "no tool"} if dialect == "routed" else {}
    one = Played(dialect, DONE)
    one.ask()
    if members:
        one.start(202, {})
        one.post("/v1/rollout/completed", members)
    else:
        one.end(status="ERROR", error_message="no tool")
    assert accused(found(one.view())) == MINE


def test_what_an_invariant_judges_is_not_shown_broken_by_an_early_end() -> None:
    assert accused(found(failed(), about=OF_AN_INVARIANT)) == BY_ITSELF
    assert accused(found(answered(422), about=OF_AN_INVARIANT)) == BY_ITSELF


@pytest.mark.parametrize(("dialect", "accuses"), [("sync", ""), ("callback", "ROLLOUT-084")])
def test_a_failure_that_no_dialect_makes_a_server_retry_accuses_nobody(dialect: str, accuses: str) -> None:
    """A case about an invariant, in all dialects, with a status in its script: only `sync` has no requirement to retry."""
    one = found(failed(dialect, Fault(status=503)), Completed(), about=OF_AN_INVARIANT)
    assert accused(one) == accuses
    assert one is not None
    assert ("a sync server does not have to retry" in one.reason) is (dialect == "sync")


@pytest.mark.parametrize(("attempts", "accuses"), [(1, "ROLLOUT-084"), (2, ""), (3, "")])
def test_a_server_that_gives_up_after_a_limited_number_of_retries_is_not_accused(attempts: int, accuses: str) -> None:
    """The case has the trainer fail more often than this server retries."""
    one = Played("callback", Script((*[Fault(status=503)] * 3, Reply(text="Done."))))
    for _ in range(attempts):
        fault_asked(one)
    one.end(status="ERROR", error_message="The trainer failed.")
    why = found(one.view(), Completed())
    assert accused(why) == accuses
    assert why is not None
    assert ("any limited number of retries will do" in why.reason) is (attempts > 1)


def test_the_evidence_is_the_last_call_and_the_result() -> None:
    one = found(failed())
    assert one is not None
    assert one.finding is not None
    assert one.finding.exchanges == (0, 1)
    assert one.since == 1
    assert "no tool" in one.reason


@pytest.mark.parametrize("end", ["stop", "cancel"])
@pytest.mark.parametrize("demands", [NOTHING, (Completed(),)], ids=["nothing", "completed"])
def test_an_end_that_the_case_brings_about_is_no_cause(end: str, demands: tuple[Any, ...]) -> None:
    view = failed()
    if end == "cancel":
        view.trace.event("", "trainer", "CancelSent", 0)
        it = view.it
        view = replace(view, rollouts={"": replace(it, events=tuple(view.trace.events))})
    assert found(view, *([StopServer()] if end == "stop" else []), *demands) is None


def test_a_server_that_was_not_stopped_after_all_has_no_reason_to_fail() -> None:
    """The case waited in vain before it came to stop the server."""
    assert accused(found(waited(failed(), "a second call"), StopServer())) == MINE


def test_an_error_is_the_cause_of_a_wait_for_more() -> None:
    """The script gives reason for an ERROR, and the case waited for what comes after it."""
    assert accused(found(waited(failed(reply=Fault(status=500)), "a second call"))) == MINE


def test_demands_about_another_rollout_admit_nothing() -> None:
    named = Failed(rollout="other")
    assert accused(found(failed(), named)) == MINE
    assert found(failed(), Failed(rollout="")) is None


# -------------------------------------------------------------------------------------------------- it came to no end


def silent(dialect: str = "sync", *, calls: int = 1, answered: bool = True) -> CaseView:
    """A rollout that began, and of which nothing more was heard."""
    one = Played(dialect, DONE)
    if dialect == "sync":
        one.trace.open(Request("POST", START_PATH["sync"]), to_target=True)
    else:
        one.start(202, {})
    for n in range(calls):
        if answered or n < calls - 1:
            one.ask()
        else:
            one.trainer.receive(one._request("/v1/chat/completions", {"messages": one.messages}))
    return one.view()


@pytest.mark.parametrize(
    ("dialect", "about", "accuses"),
    [
        ("sync", MINE, MINE),
        ("callback", MINE, MINE),
        ("sync", OF_AN_INVARIANT, BY_ITSELF),
        ("callback", OF_AN_INVARIANT, "ROLLOUT-136"),
        ("routed", OF_AN_INVARIANT, "ROLLOUT-213"),
    ],
)
def test_a_silence_is_about_a_result_that_never_came(dialect: str, about: str, accuses: str) -> None:
    one = found(waited(silent(dialect), "the end"), about=about)
    assert one is not None
    assert one.finding is not None
    assert (one.finding.requirement, one.finding.timing) == (accuses, True)
    assert one.reason == "the end: none within 3 s of silence"


def test_nobody_is_silent_before_somebody_waited() -> None:
    assert found(silent()) is None


@pytest.mark.parametrize("dialect", ["sync", "callback"])
def test_a_server_that_waits_for_the_trainer_is_not_silent(dialect: str) -> None:
    assert found(waited(silent(dialect, answered=False), "the end")) is None


@pytest.mark.parametrize(
    ("crowded", "calls", "accuses", "again"),
    [(0, 0, MINE, False), (5, 0, "", True), (5, 1, MINE, False)],
    ids=["alone", "crowded", "crowded, and begun"],
)
def test_a_rollout_that_did_not_begin_among_others_may_have_waited_for_a_place(
    crowded: int, calls: int, accuses: str, again: bool
) -> None:
    one = found(waited(silent("callback", calls=calls), "the end", crowded))
    assert one is not None
    assert (accused(one), one.again) == (accuses, again)


# --------------------------------------------------------------------------------------------------------- of several


def test_the_first_end_of_several_is_the_cause() -> None:
    early, late = failed(message="early").it, failed(message="late").it
    view = failed()
    later = late.starts[0].exchange
    late = replace(late, starts=(replace(late.starts[0], exchange=replace(later, n=9)),))
    for rollouts in ({"a": early, "b": late}, {"b": late, "a": early}):
        one = found(replace(view, rollouts=rollouts))
        assert one is not None
        assert "early" in one.reason
