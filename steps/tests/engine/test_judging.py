"""What rests on a response that has not arrived when a case is judged is about time."""

import pytest

from rollout_conformance.steps.engine.findings import Cause, Finding, Satisfied
from rollout_conformance.steps.engine.judging import _about_time, _clocked
from rollout_conformance.steps.engine.trace import Request, Response, Trace


@pytest.mark.parametrize(
    ("to_target", "ended", "timing"), [(True, False, True), (True, True, False), (False, False, False)]
)
def test_only_an_open_response_of_the_target_makes_a_finding_one_about_time(
    to_target: bool, ended: bool, timing: bool
) -> None:
    trace = Trace()
    n = trace.open(Request("POST", "/rollout"), to_target=to_target)
    if ended:
        trace.close(n, Response(200))
    found = _about_time(Finding("ROLLOUT-032", "a rejection", "no response", (n,)), trace)
    assert isinstance(found, Finding)
    assert found.timing is timing


@pytest.mark.parametrize(
    ("fault", "timing"),
    [
        ("no answer within 10 s", True),
        ("no end within 13.3333 s", True),
        ("still sending after 30 s", True),
        ("the connection was reset", False),
    ],
)
def test_a_response_that_the_suite_waited_for_in_vain_is_about_time(fault: str, timing: bool) -> None:
    trace = Trace()
    n = trace.open(Request("POST", "/v1/chat/completions"), to_target=True)
    trace.close(n, fault=fault)
    found = _about_time(Finding("ROUTER-057", "200", fault, (n,)), trace)
    assert isinstance(found, Finding)
    assert found.timing is timing


def test_a_cause_that_the_suite_waited_for_in_vain_is_about_time() -> None:
    trace = Trace()
    n = trace.open(Request("POST", "/v1/chat/completions"), to_target=True)
    trace.close(n, fault="no end within 13.3333 s")
    cause = _clocked(Cause("no end", Finding("ROUTER-057", "200", "no end", (n,))), trace)
    assert cause.finding is not None
    assert cause.finding.timing
    assert _clocked(Cause("busy"), trace) == Cause("busy")


def test_what_cites_no_exchange_is_left_as_it_is() -> None:
    for evidence in (Finding("ROLLOUT-032", "a", "b"), Satisfied("ROLLOUT-032")):
        assert _about_time(evidence, Trace()) == evidence
