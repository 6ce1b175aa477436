"""What ended a chat case otherwise than it gives reason for: found once, and nothing of what rests on it."""

from dataclasses import replace
from typing import Any

import pytest

from rollout_conformance.steps.engine.cases import Case, Step
from rollout_conformance.steps.engine.findings import Finding, Location
from rollout_conformance.steps.engine.trace import Request, Response, Trace
from rollout_conformance.steps.http.expectations import Status
from rollout_conformance.steps.http.responses import Responses
from rollout_conformance.steps.profiles.chat.card import ChatCard
from rollout_conformance.steps.profiles.chat.cause import cause
from rollout_conformance.steps.profiles.chat.expectations.sampling import SameCompletionOrRejected, TopLogprobs
from rollout_conformance.steps.profiles.chat.expectations.statuses import Rejected
from rollout_conformance.steps.profiles.chat.expectations.text import MatchesSchema
from rollout_conformance.steps.profiles.chat.expectations.tools import AtMostOneCall, ToolCalls
from rollout_conformance.steps.profiles.chat.responses import ChatResponse
from rollout_conformance.steps.profiles.chat.view import UNKNOWN_CONTEXT, CaseContext, CaseView

HERE = Location("case", 1)
ERROR = {"error": {"message": "not today"}}


def case(*demands: Any, requirements: tuple[str, ...] = ("CHAT-042",), needs: frozenset[str] = frozenset()) -> Case:
    return Case("it", "chat", "openai", requirements, tuple(Step(one, HERE) for one in demands), HERE, needs=needs)


def view(
    status: int | None,
    fault: str | None = None,
    context_tokens: int = 4096,
    key: str | None = "k",
    members: tuple[str, ...] = (),
    **more: Any,
) -> CaseView:
    """One request, answered with this status or not at all."""
    trace = Trace()
    n = trace.open(Request("POST", "/v1/chat/completions"), to_target=True)
    trace.close(
        n, None if fault or status is None else Response(status, (), b'{"error":{"message":"not today"}}'), fault
    )
    response = ChatResponse("a", n, {"model": "m", **dict.fromkeys(members, 1)}, status, ERROR, **more)
    return CaseView(trace, Responses.of([response]), CaseContext("m", key, None, ChatCard(), context_tokens))


def found(about: Case, said: CaseView) -> tuple[str, str]:
    """The requirement that is accused and what was seen; the reason where nothing is accused."""
    one = cause(about, said)
    assert one is not None
    return (one.finding.requirement, one.finding.observed) if one.finding else ("", one.reason)


CALLS = ToolCalls(("any",), requested=True)


@pytest.mark.parametrize("status", [429, 503])
def test_a_target_that_is_full_is_accused_of_nothing(status: int) -> None:
    assert found(case(CALLS), view(status)) == ("", f"the target returned {status} by itself")


@pytest.mark.parametrize("status", [429, 503])
def test_a_case_may_be_about_a_full_target(status: int) -> None:
    assert cause(case(Status((429, 503))), view(status)) is None


def test_an_error_of_the_engine_is_one_requirement_whatever_the_case_is_about() -> None:
    assert found(case(CALLS), view(500)) == ("CHAT-303", '500: {"error":{"message":"not today"}}')
    assert found(case(SameCompletionOrRejected("a")), view(500))[0] == "CHAT-303"


@pytest.mark.parametrize("status", [502, 504])
def test_a_gateway_without_its_engine_breaks_what_the_case_is_about(status: int) -> None:
    assert found(case(CALLS), view(status))[0] == "CHAT-042"


def test_a_refusal_is_told_as_one() -> None:
    requirement, observed = found(case(CALLS), view(400))
    assert requirement == "CHAT-042"
    assert observed == 'rejected with 400: {"error":{"message":"not today"}}'


def test_a_refusal_of_what_an_engine_may_lack_accuses_nobody_and_says_what_to_declare() -> None:
    requirement, reason = found(case(CALLS, needs=frozenset({"seed"})), view(400, members=("seed",)))
    assert requirement == ""
    assert "declare `seed`" in reason
    assert "`no_seed`" in reason


def test_a_refusal_of_a_conversation_that_ends_with_the_assistant_accuses_nobody() -> None:
    """The case continues a response that had no tool call: what it is about never came."""
    request = {"messages": [{"role": "user", "content": "Hello!"}, {"role": "assistant", "content": ""}]}
    said = view(400)
    ended = replace(said.responses.by_name["a"], request=request)
    requirement, reason = found(case(Status()), replace(said, responses=Responses.of([ended])))
    assert requirement == ""
    assert "ends with a message of the assistant" in reason


def test_a_refusal_of_a_request_without_what_an_engine_may_lack_is_a_finding() -> None:
    assert found(case(CALLS, needs=frozenset({"seed"})), view(400))[0] == "CHAT-042"


@pytest.mark.parametrize(
    ("members", "raw", "named"),
    [
        (("seed",), b"not today", {"seed"}),
        (("n", "seed"), b"not today", {"n", "seed"}),
        (("n", "seed", "tool_choice"), b"`tool_choice` is not supported", {"required_tools"}),
        (("n", "stop"), b"no more than one choice: n", {"n"}),
        (("n", "stop"), b"stop_reason is unknown to nobody", {"n", "stop"}),
    ],
)
def test_of_several_that_an_engine_may_lack_the_refused_one_is_named(
    members: tuple[str, ...], raw: bytes, named: set[str]
) -> None:
    needs = frozenset({"seed", "n", "stop", "required_tools"})
    _, reason = found(case(CALLS, needs=needs), view(400, members=members, raw=raw))
    assert {one for one in needs if f"`no_{one}`" in reason} == named
    assert ("whichever" in reason) == (len(named) > 1)


def test_a_refusal_of_what_the_card_promises_is_a_finding() -> None:
    said = view(400)
    promised = replace(said, context=replace(said.context, card=ChatCard(capabilities=["seed"])))
    assert found(case(CALLS, needs=frozenset({"seed"})), promised)[0] == "CHAT-042"


@pytest.mark.parametrize(
    "demand",
    [
        Rejected(),
        Status((200, 400)),
        SameCompletionOrRejected("other"),
        MatchesSchema("{}"),
        TopLogprobs(50, or_rejected=True),
        AtMostOneCall("other"),
    ],
    ids=lambda demand: type(demand).__name__,
)
def test_a_refusal_that_a_case_allows_is_for_its_demand_to_judge(demand: Any) -> None:
    assert cause(case(demand), view(400)) is None


def test_an_error_where_a_refusal_is_asked_for_is_for_the_demand_to_judge() -> None:
    about = case(Rejected(), requirements=("CHAT-003",))
    assert cause(about, view(500)) is None
    (finding,) = Rejected().judge(view(500), "CHAT-003")
    assert isinstance(finding, Finding)


def test_a_lost_connection_breaks_that_the_model_is_served() -> None:
    assert found(case(CALLS), view(None, "ConnectionResetError: reset")) == ("CHAT-001", "ConnectionResetError: reset")
    about = case(Rejected(), requirements=("CHAT-004",))
    assert found(about, view(None, "ConnectionResetError: reset"))[0] == "CHAT-004"


def test_slots_that_clients_leave_behind_are_what_a_case_about_them_finds() -> None:
    silent = view(None, "no end within 60 s")
    one = replace(silent.responses.named("a")[0], name="left", n=-1, status=200, left=True)
    after = replace(silent, responses=Responses.of([one, *silent.responses]))
    about = case(CALLS, requirements=("CHAT-056",))
    assert found(about, after) == ("CHAT-056", "no end within 60 s")
    gone = replace(after, responses=Responses.of([one, replace(silent.responses.named("a")[0], left=True)]))
    assert found(about, gone) == ("CHAT-056", "no response")  # the client of the suite left, for the same reason
    assert found(about, silent)[0] == found(case(CALLS), after)[0] == "CHAT-001"


def test_a_stream_that_broke_off_has_no_end() -> None:
    assert found(case(CALLS), view(200, "ClientPayloadError: cut"))[0] == "CHAT-051"
    assert cause(case(CALLS), view(200, "we left", left=True)) is None


def test_a_target_that_answers_others_meanwhile_is_only_slow() -> None:
    requirement, reason = found(case(CALLS), view(None, "no answer within 30 s", others_answered=True))
    assert requirement == ""
    assert "slow" in reason
    assert found(case(CALLS), view(None, "no answer within 30 s"))[0] == "CHAT-001"


def test_nothing_is_proved_where_the_context_is_not_known() -> None:
    about = case(Rejected(), requirements=("CHAT-004",))
    silent = view(None, "no answer within 30 s", context_tokens=UNKNOWN_CONTEXT, exceeds_context=True)
    assert found(about, silent)[0] == ""
    assert list(Rejected().judge(view(200, context_tokens=UNKNOWN_CONTEXT, exceeds_context=True), "CHAT-004")) == []
    assert len(list(Rejected().judge(view(200, exceeds_context=True), "CHAT-004"))) == 1
    assert found(about, view(None, "no answer within 30 s", exceeds_context=True))[0] == "CHAT-004"


def test_a_key_that_nobody_gave_is_asked_for() -> None:
    assert found(case(CALLS), view(401, key=None))[0] == ""
    assert found(case(CALLS), view(401))[0] == "CHAT-042"


def test_the_first_of_several_is_the_cause() -> None:
    said = view(500)
    later = ChatResponse("later", 1, {}, 429, ERROR)
    assert (
        found(case(CALLS), CaseView(said.trace, Responses.of([later, *said.responses]), said.context))[0] == "CHAT-303"
    )


def test_what_is_generated_is_about_no_requirement() -> None:
    assert cause(case(requirements=()), view(500)) is None


def test_what_was_refused_was_not_ignored() -> None:
    (finding,) = CALLS.judge(view(400), "CHAT-042")
    assert isinstance(finding, Finding)
    assert not finding.ignored
