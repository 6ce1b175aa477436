"""A right generation call that a trainer does not answer is the one finding of its case."""

from typing import Any

import pytest

from rollout_conformance.steps.engine.cases import Case, Step
from rollout_conformance.steps.engine.findings import Cause, Location
from rollout_conformance.steps.engine.trace import Request, Response, Trace
from rollout_conformance.steps.peers.scripted_rollout_server import HostedRollout
from rollout_conformance.steps.profiles.trainer.actions import ReadRecord, ReportEnd, StartRollout
from rollout_conformance.steps.profiles.trainer.cause import MASK, SERVES
from rollout_conformance.steps.profiles.trainer.expectations import GenerationStatus
from rollout_conformance.steps.profiles.trainer.profile import PROFILE
from rollout_conformance.steps.profiles.trainer.state import Call, CaseView, RolloutState

AT = Location("scenarios/trainer/x.yaml", 3)


def cause_of(
    status: int | None, *, right: bool = True, about: str = "TRAINER-180", wanted: Any = (200,)
) -> Cause | None:
    trace = Trace()
    n = trace.open(Request("POST", "/v1/chat/completions"), to_target=True, rollout="a")
    answer = None if status is None else Response(status, (), b'{"detail": "out of memory"}')
    trace.close(n, answer, None if answer else "the connection was closed without an answer")
    rollout = RolloutState("a", calls=[Call(n, {}, right)])
    tokens: Any = None
    case = Case("c", "trainer", "sync", (about,), (Step(GenerationStatus(wanted), AT),), AT)
    return PROFILE.cause(case, CaseView(trace, "sync", {"a": rollout}, tokens, None))


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (500, 'a generation request returned 500: {"detail": "out of memory"}'),
        (None, "a generation request: the connection was closed without an answer"),
    ],
)
def test_an_outage_accuses_the_service_and_not_what_the_case_is_about(status: int | None, said: str) -> None:
    found = cause_of(status)
    assert found is not None
    assert found.finding is not None
    assert (found.finding.requirement, found.reason) == (SERVES, said)


@pytest.mark.parametrize("status", [429, 503])
def test_a_busy_trainer_has_shown_nothing(status: int) -> None:
    found = cause_of(status)
    assert found is not None
    assert (found.finding, found.again) == (None, True)


def test_a_case_that_judges_by_its_own_expectations_accuses_its_own_requirement() -> None:
    found = cause_of(500, about="TRAINER-184")
    assert found is not None
    assert found.finding is not None
    assert found.finding.requirement == "TRAINER-184"


@pytest.mark.parametrize(
    ("status", "right", "wanted"),
    [(422, True, (200,)), (422, False, (200,)), (500, True, (500,))],
)
def test_other_answers_are_for_the_case_to_judge(status: int, right: bool, wanted: Any) -> None:
    assert cause_of(status, right=right, wanted=wanted) is None


@pytest.mark.parametrize(("status", "accused"), [(500, True), (501, True), (400, False), (200, False), (503, False)])
def test_a_wrong_request_that_is_answered_with_a_failure_breaks_what_is_said_of_failures(
    status: int, accused: bool
) -> None:
    found = cause_of(status, right=False, about="TRAINER-187", wanted=("4xx",))
    assert (found is not None and found.finding is not None and found.finding.requirement == "TRAINER-303") is accused


def test_a_reply_that_is_wrong_in_itself_is_what_the_turns_after_it_rest_on() -> None:
    found = cause_of(200)  # its body is no chat completion
    assert found is not None
    assert found.finding is not None
    assert (found.finding.requirement, found.certain) == ("TRAINER-179", True)


def test_a_control_request_that_was_rejected_leaves_nothing_to_judge() -> None:
    trace = Trace()
    control = trace.open(Request("POST", "/rollouts"), to_target=True)
    trace.close(control, Response(429, (), b'{"detail": "too many"}'))
    call = trace.open(Request("POST", "/v1/chat/completions"), to_target=True)
    trace.close(call, Response(422, (), b"{}"))
    rollout, tokens = RolloutState("a", control=control, calls=[Call(call, {}, True)]), Any
    case = Case("c", "trainer", "sync", ("TRAINER-180",), (Step(GenerationStatus((200,)), AT),), AT)
    found = PROFILE.cause(case, CaseView(trace, "sync", {"a": rollout}, tokens, None))  # type: ignore[arg-type]
    assert found is not None
    assert (found.finding, found.since) == (None, control)
    assert found.reason == 'the control request was answered 429 {"detail":"too many"}: no rollout began'


def test_a_control_request_without_a_response_accuses_of_nothing() -> None:
    trace = Trace()
    n = trace.open(Request("POST", "/rollouts"), to_target=True)
    trace.close(n, None, "no answer within 5 s")
    tokens: Any = None
    case = Case("c", "trainer", "sync", ("TRAINER-194",), (Step(GenerationStatus((401,)), AT),), AT)
    found = PROFILE.cause(case, CaseView(trace, "sync", {"a": RolloutState("a", control=n)}, tokens, None))
    assert found == Cause("the control request: no answer within 5 s", since=n)


def masked(first_is_right: bool) -> Cause | None:
    """A wrong request that is answered 200, or a right one that is not, and one with a correct mask that is rejected after it."""
    trace = Trace()
    first = trace.open(Request("POST", "/v1/chat/completions"), to_target=True, rollout="a")
    trace.close(first, Response(200 if not first_is_right else 422, (), b"{}"))
    second = trace.open(Request("POST", "/v1/chat/completions"), to_target=True, rollout="a")
    trace.close(second, Response(422, (), b'{"error": {"message": "response_mask: 4 elements expected"}}'))
    calls = [Call(first, {}, first_is_right), Call(second, {"response_mask": [0, 0, 0]}, True)]
    tokens: Any = None
    case = Case("c", "trainer", "sync", ("TRAINER-187",), (Step(GenerationStatus((200, 200)), AT),), AT)
    return PROFILE.cause(case, CaseView(trace, "sync", {"a": RolloutState("a", calls=calls)}, tokens, None))


def test_a_correct_mask_that_is_rejected_accuses_the_mask() -> None:
    found = masked(first_is_right=True)
    assert found is not None
    assert found.finding is not None
    assert found.finding.requirement == MASK


def test_a_correct_mask_is_not_counted_against_a_history_that_the_trainer_should_have_rejected() -> None:
    assert masked(first_is_right=False) is None


@pytest.mark.parametrize(("reported", "accused"), [(False, True), (True, False)])
def test_a_rollout_that_outlives_its_timeout_is_the_cause_of_what_comes_after_it(reported: bool, accused: bool) -> None:
    trace = Trace()
    n = trace.open(Request("GET", "/rollouts/r"), to_target=True)
    trace.close(n, Response(200, (), b'{"status": "running"}'))
    result = [ReportEnd()] if reported else []
    steps: list[Any] = [StartRollout(timeout_s=1), *result, ReadRecord(wait_for_end=True), GenerationStatus((404,))]
    case = Case("c", "trainer", "sync", ("TRAINER-195",), tuple(Step(step, AT) for step in steps), AT)
    tokens: Any = None
    found = PROFILE.cause(case, CaseView(trace, "sync", {"": RolloutState("", records=[n])}, tokens, None))
    assert (found is not None and found.finding is not None and found.finding.requirement == "TRAINER-198") is accused


def refused(
    case_demands: tuple[int | str, ...] = (200, "4xx"),
    *,
    source: Any = "started",
    sent: str = "",
    issued: str = "",
    place: str = "body",
    status: int = 401,
) -> Cause | None:
    """A right first generation request that is answered 401, and another one after the end of the rollout."""
    trace = Trace()
    headers = (("authorization", f"Bearer {sent}"),) if sent else ()
    numbers = []
    for _ in range(2):
        n = trace.open(Request("POST", "/v1/chat/completions", headers), to_target=True)
        trace.close(n, Response(status, (), b'{"detail": "no key"}'))
        numbers.append(n)
    hosted = HostedRollout("", "r", "callback", trace, ())
    hosted.body = {"api_key": issued} if issued else {}
    part = RolloutState("", "r", None if source == "open" else hosted, open=source == "open")
    part.calls = [Call(n, {"messages": []}, True) for n in numbers]
    case = Case("c", "trainer", "callback", ("TRAINER-195",), (Step(GenerationStatus(case_demands), AT),), AT)
    tokens: Any = None
    view = CaseView(trace, "callback", {"": part}, tokens, None, source=source, place=place)
    return PROFILE.cause(case, view)


@pytest.mark.parametrize(
    ("given", "mend"),
    [
        ({"source": "open"}, "The suite had no key to send: give the key of the trainer with --target-key."),
        ({"source": "started"}, "The suite had no key to send: the start request has no key;"),
        ({"source": "control"}, "the trainer has to issue one"),
        ({"source": "started", "sent": "k"}, "the key that was given with --target-key or on the card is refused."),
        ({"source": "open", "sent": "r", "place": "key"}, "`rollouts: open` and `rollout_id_in: key`"),
        ({"source": "open", "status": 403}, "answered 403"),
    ],
)
def test_a_key_that_is_missing_or_wrong_is_said_and_breaks_nothing(given: dict[str, Any], mend: str) -> None:
    found = refused(**given)
    assert found is not None
    assert (found.finding, found.since) == (None, 0)
    assert mend in found.reason


def test_an_issued_key_that_is_refused_at_first_breaks_the_service_and_not_what_the_case_is_about() -> None:
    found = refused(sent="k", issued="k")
    assert found is not None
    assert found.finding is not None
    assert (found.finding.requirement, found.since) == (SERVES, 0)


@pytest.mark.parametrize("given", [{"case_demands": ("4xx",)}, {"case_demands": (401, 200)}, {"status": 404}])
def test_a_rejection_that_no_key_explains_is_for_the_case_to_judge(given: dict[str, Any]) -> None:
    assert refused(**given) is None
