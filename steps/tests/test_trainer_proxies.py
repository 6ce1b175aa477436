"""A proxy in front of an engine: tools that come with the requests, token ids that it keeps, and results that it has no place for."""

import json
from typing import Any

import pytest

from rollout_conformance.steps.engine.cases import Case, Step
from rollout_conformance.steps.engine.findings import Cause, Finding, Location, Verdict
from rollout_conformance.steps.engine.trace import Request, Response, Trace
from rollout_conformance.steps.peers.calculator import tools
from rollout_conformance.steps.peers.token_oracle import completion_text
from rollout_conformance.steps.profiles.trainer import actions as do
from rollout_conformance.steps.profiles.trainer import expectations as expect
from rollout_conformance.steps.profiles.trainer import left_out
from rollout_conformance.steps.profiles.trainer.card import TrainerCard
from rollout_conformance.steps.profiles.trainer.generation import Generate
from rollout_conformance.steps.profiles.trainer.invariants.generations import replies
from rollout_conformance.steps.profiles.trainer.profile import PROFILE
from rollout_conformance.steps.profiles.trainer.rollout_source import unmet_need
from rollout_conformance.steps.profiles.trainer.state import CaseView, RolloutState
from rollout_conformance.steps.tests.test_trainer_profile import CALL, QUESTION, TOKENS, reply, view
from rollout_conformance.steps.tests.trainer_runs import card, found, played

AT = Location("x.yaml", 1)
PROMPT = TOKENS.prompt_ids(QUESTION, tools())


def findings(seen: CaseView) -> dict[str, str]:
    return {item.requirement: item.observed for item in replies(seen) if isinstance(item, Finding)}


def case(*steps: Any, dialect: str = "sync", about: str = "TRAINER-195") -> Case:
    return Case("c", "trainer", dialect, (about,), tuple(Step(step, AT) for step in steps), AT)


# tools


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        ({}, False),
        ({"rollouts": "started"}, False),
        ({"rollouts": "open", "rollout_id_in": "key"}, False),
        ({"rollouts": "started", "rollout_id_in": "key"}, True),
        ({"rollouts": "started", "rollout_id_in": "key", "tools_in": "prompt"}, False),
        ({"rollouts": "open", "tools_in": "request"}, True),
    ],
)
def test_a_proxy_has_its_tools_from_the_requests(members: dict[str, Any], expected: bool) -> None:
    assert TrainerCard.model_validate(members).requests_have_tools is expected


def test_what_was_left_out_for_want_of_tools_is_played_with_them() -> None:
    without, having = TrainerCard(rollouts="open"), TrainerCard(rollouts="open", tools_in="request")
    proxy = TrainerCard(rollouts="started", rollout_id_in="key")
    few = case(do.StartRollout(tools=("multiply",)), Generate())
    assert left_out.reason(without, few) is not None
    assert left_out.reason(having, few) is None
    assert unmet_need(without, "tool_calls") is not None
    assert unmet_need(having, "tool_calls") is None
    assert "tools_in: request" in (left_out.reason(proxy, case(do.StartRollout(), expect.ToolsInPrompts())) or "")


def test_a_right_proxy_that_renders_the_tools_of_each_request_is_accused_of_nothing() -> None:
    described = card("open", tools_in="request", capabilities=["record", "tool_calls"])
    outcomes = played(described, lambda one: one.requirements[0] in {"TRAINER-183", "TRAINER-188", "TRAINER-200"})
    assert found(outcomes) == set()
    passed = {one.case.requirements[0] for one in outcomes if one.judgement.verdict == Verdict.PASS}
    assert passed == {"TRAINER-183", "TRAINER-188", "TRAINER-200"}
    bodies = [
        json.loads(e.request.body) for one in outcomes if one.trace for e in one.trace.exchanges if e.request.body
    ]
    assert any(body.get("tools") == list(tools()) for body in bodies)


def test_a_trainer_without_a_proxy_gets_no_tools_in_its_requests() -> None:
    outcomes = played(card("control"), lambda one: one.requirements[0] == "TRAINER-200")
    assert found(outcomes) == set()
    generations = [
        json.loads(exchange.request.body)
        for one in outcomes
        if one.trace
        for exchange in one.trace.exchanges
        if exchange.request.path == "/v1/chat/completions"
    ]
    assert generations
    assert all("tools" not in body for body in generations)


def without_tools() -> CaseView:
    return view(reply(prompt_token_ids=TOKENS.prompt_ids(QUESTION, ())))


def test_a_proxy_that_drops_the_tools_of_a_request_renders_another_prompt() -> None:
    seen = without_tools()
    seen.rollouts[""].sent_tools = tools()
    assert set(findings(seen)) == {"TRAINER-183"}


def test_a_trainer_that_leaves_out_the_tools_is_told_how_a_proxy_is_declared() -> None:
    assert "tools_in: request" in findings(without_tools())["TRAINER-196"]


# truncated calls


@pytest.mark.parametrize(("reason", "expected"), [("length", set()), ("tool_calls", {"TRAINER-200"})])
def test_a_call_that_is_cut_is_right_only_where_the_generation_says_so(reason: str, expected: set[str]) -> None:
    cut = {**CALL, "function": {"name": "add", "arguments": '{"a": 5, "b'}}
    message = {"role": "assistant", "content": None, "tool_calls": [cut]}
    choice = {"index": 0, "message": message, "finish_reason": reason}
    assert set(findings(view(reply(message, choices=[choice])))) & {"TRAINER-200"} == expected


def cut_turn(kept: int) -> CaseView:
    """A generation that `max_tokens` ended within the arguments of its call; `kept` of the characters of the turn are in its token ids."""
    arguments = '{"a": 5, "b'
    message = {
        "role": "assistant",
        "content": None,
        "tool_calls": [{**CALL, "function": {"name": "add", "arguments": arguments}}],
    }
    whole = completion_text(TOKENS, QUESTION, message, tools())
    ids = TOKENS.encode(whole[: whole.index(arguments) + len(arguments)][:kept])
    choice = {"index": 0, "message": message, "finish_reason": "length"}
    counted = {"prompt_tokens": len(PROMPT), "completion_tokens": len(ids), "total_tokens": len(PROMPT) + len(ids)}
    return view(reply(message, choices=[choice], token_ids=ids, logprobs=[-0.5] * len(ids), usage=counted))


def test_the_tokens_of_a_cut_call_are_those_that_were_sampled() -> None:
    assert findings(cut_turn(10_000)) == {}
    assert set(findings(cut_turn(-3))) == {"TRAINER-182"}


def test_a_cut_call_has_to_be_the_last_one() -> None:
    cut = {**CALL, "id": "call_0", "function": {"name": "add", "arguments": '{"a": 5, "b'}}
    message = {"role": "assistant", "content": None, "tool_calls": [cut, CALL]}
    choice = {"index": 0, "message": message, "finish_reason": "length"}
    assert "TRAINER-200" in findings(view(reply(message, choices=[choice])))


# token ids


def test_token_ids_that_a_proxy_keeps_are_not_judged() -> None:
    hidden = dict.fromkeys(("token_ids", "prompt_token_ids", "logprobs"))
    seen = view(reply(**hidden))
    assert "token_ids: false" in findings(seen)["TRAINER-180"]
    kept = CaseView(seen.trace, seen.dialect, seen.rollouts, seen.tokens, None, with_ids=False)
    assert findings(kept) == {}
    anonymous = view(reply(**hidden, id=""))
    kept = CaseView(anonymous.trace, anonymous.dialect, anonymous.rollouts, TOKENS, None, with_ids=False)
    assert set(findings(kept)) == {"TRAINER-179"}


def test_cases_about_token_ids_are_left_out_without_them() -> None:
    keeps = TrainerCard(token_ids=False)
    assert "token_ids: false" in (
        left_out.reason(keeps, case(do.StartRollout(), Generate(), about="TRAINER-182")) or ""
    )
    assert left_out.reason(keeps, case(do.StartRollout(), Generate(), about="TRAINER-190")) is None


# results


def rejected(status: int, *reports: do.ReportEnd, answers: tuple[int, ...] = (), source: Any = "open") -> Cause | None:
    """A generation after completed callbacks, the last of which is answered with `status`."""
    trace, numbers = Trace(), []
    for one in (*answers, status):
        n = trace.open(Request("POST", "/v1/rollout/completed"), to_target=True)
        trace.close(n, Response(one, (), b'{"detail": "Not Found"}'))
        numbers.append(n)
    part = RolloutState("", "r", callbacks=numbers)
    seen = CaseView(trace, "callback", {"": part}, TOKENS, None, source=source)
    steps = (do.StartRollout(), Generate(), *reports, Generate(), expect.GenerationStatus((200, "4xx")))
    return PROFILE.cause(case(*steps, dialect="callback"), seen)


def test_a_rollout_whose_result_was_rejected_has_none_that_later_requests_could_come_after() -> None:
    cause = rejected(404, do.ReportEnd())
    assert cause is not None
    assert cause.finding is not None
    assert cause.finding.requirement == "TRAINER-191"
    assert "`dialects: [sync]`" in cause.finding.observed


def test_a_trainer_with_results_is_not_told_to_have_none() -> None:
    for status, source in ((422, "open"), (404, "control")):
        cause = rejected(status, do.ReportEnd(), source=source)
        assert cause is not None
        assert cause.finding is not None
        assert "dialects" not in cause.finding.observed


@pytest.mark.parametrize(
    "report",
    [
        do.ReportEnd(key="none"),
        do.ReportEnd(status="RUNNING"),
        do.ReportEnd(raw_reward="NaN"),
        do.ReportEnd(rollout_id="rc-no-1x"),
    ],
)
def test_a_wrong_report_is_rejected_rightly(report: do.ReportEnd) -> None:
    assert rejected(404, report) is None


def test_a_report_after_one_that_was_accepted_may_be_rejected() -> None:
    assert rejected(409, do.ReportEnd(), do.ReportEnd(status="ERROR"), answers=(200,)) is None
    assert rejected(409, do.ReportEnd(raw_reward="NaN"), do.ReportEnd(), answers=(200,)) is None
    assert rejected(200, do.ReportEnd()) is None
