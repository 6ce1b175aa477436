"""The judge of trainers: its invariants against small traces, right ones and wrong ones, and what a bad scenario is told."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rollout_conformance.steps import case_catalog
from rollout_conformance.steps.engine.findings import Finding, SuiteError
from rollout_conformance.steps.engine.trace import Request, Response, Trace
from rollout_conformance.steps.paths import TOKENIZER
from rollout_conformance.steps.peers import tokens
from rollout_conformance.steps.peers.calculator import tools
from rollout_conformance.steps.peers.scripted_rollout_server import HostedRollout
from rollout_conformance.steps.peers.token_oracle import completion_text
from rollout_conformance.steps.profiles.trainer.invariants.generations import replies
from rollout_conformance.steps.profiles.trainer.invariants.leaks import leaks
from rollout_conformance.steps.profiles.trainer.invariants.order import order
from rollout_conformance.steps.profiles.trainer.invariants.records import records
from rollout_conformance.steps.profiles.trainer.profile import PROFILE
from rollout_conformance.steps.profiles.trainer.state import Call, CaseView, RolloutState

TOKENS = tokens.load(TOKENIZER)
QUESTION = [{"role": "user", "content": "Please calculate 5 plus 3."}]
CALL = {"id": "call_1", "type": "function", "function": {"name": "add", "arguments": '{"a": 5, "b": 3}'}}


def reply(message: dict[str, Any] | None = None, **other: Any) -> dict[str, Any]:
    """A right reply to QUESTION; `other` changes its members."""
    message = message or {"role": "assistant", "content": "The result is 8."}
    ids = TOKENS.encode(completion_text(TOKENS, QUESTION, message, tools()))
    prompt = TOKENS.prompt_ids(QUESTION, tools())
    sums = {"prompt_tokens": len(prompt), "completion_tokens": len(ids), "total_tokens": len(prompt) + len(ids)}
    return {
        "id": "chatcmpl-1",
        "created": 1,
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        "usage": sums,
        "token_ids": ids,
        "logprobs": [-0.5] * len(ids),
        "prompt_token_ids": prompt,
        **other,
    }


def view(body: Any, status: int = 200, record: Any = None) -> CaseView:
    trace = Trace()
    rollout = RolloutState("", "r1", HostedRollout("", "r1", "sync", trace, tools()), QUESTION, QUESTION)
    n = trace.open(Request("POST", "/v1/chat/completions"), to_target=True)
    trace.close(n, Response(status, (), json.dumps(body).encode()))
    rollout.calls.append(Call(n, {"messages": QUESTION}, True))
    if record is not None:
        at = trace.open(Request("GET", "/rollouts/r1"), to_target=True)
        trace.close(at, Response(200, (), json.dumps(record).encode()))
        rollout.records.append(at)
    return CaseView(trace, "sync", {"": rollout}, TOKENS, None)


def broken(evidence: Iterator[Any]) -> set[str]:
    return {item.requirement for item in evidence if isinstance(item, Finding)}


def test_a_right_reply_breaks_nothing() -> None:
    assert broken(replies(view(reply()))) == set()
    assert broken(replies(view(reply({"role": "assistant", "content": None, "tool_calls": [CALL]})))) == set()


@pytest.mark.parametrize(
    ("wrong", "requirement"),
    [
        ({"id": ""}, "TRAINER-179"),
        ({"created": "now"}, "TRAINER-179"),
        ({"choices": []}, "TRAINER-179"),
        ({"usage": None}, "TRAINER-181"),
        ({"usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 3}}, "TRAINER-181"),
        ({"token_ids": None}, "TRAINER-180"),
        ({"logprobs": [-0.5]}, "TRAINER-180"),
        ({"prompt_token_ids": [1, 2, 3]}, "TRAINER-183"),
    ],
)
def test_a_wrong_reply_breaks_its_requirement(wrong: dict[str, Any], requirement: str) -> None:
    assert broken(replies(view(reply(**wrong)))) == {requirement}


def test_ids_of_the_content_alone_are_found_out() -> None:
    message = {"role": "assistant", "content": "I'll calculate.", "tool_calls": [CALL]}
    ids = TOKENS.encode("I'll calculate.")
    wrong = reply(message, token_ids=ids, logprobs=[-0.5] * len(ids))
    assert broken(replies(view(wrong))) == {"TRAINER-182"}


@pytest.mark.parametrize(
    "call", [{**CALL, "id": ""}, {**CALL, "type": "tool"}, {**CALL, "function": {"name": "add", "arguments": {"a": 5}}}]
)
def test_a_call_that_openai_would_not_make_is_found_out(call: dict[str, Any]) -> None:
    message = {"role": "assistant", "content": None, "tool_calls": [call]}
    assert "TRAINER-200" in broken(replies(view(reply(message))))


TURNS = [
    {"prompt_token_ids": [1, 2], "token_ids": [3], "logprobs": [-0.5]},
    {"prompt_token_ids": [1, 2, 3, 4], "token_ids": [5], "logprobs": [-0.5]},
]
RECORD = {
    "status": "running",
    "turns": TURNS,
    "token_ids": [1, 2, 3, 4, 5],
    "response_mask": [0, 0, 1, 0, 1],
    "logprobs": [0.0, 0.0, -0.5, 0.0, -0.5],
    "drift": None,
}


def test_a_right_record_breaks_nothing() -> None:
    assert broken(records(view(reply(), record=RECORD))) == set()


@pytest.mark.parametrize(
    ("wrong", "requirement"),
    [
        ({"response_mask": [0, 0, 1, 1, 1]}, "TRAINER-188"),
        ({"response_mask": [0, 0, 1, 0]}, "TRAINER-188"),
        ({"logprobs": [0.0, -1.0, -0.5, 0.0, -0.5]}, "TRAINER-188"),
        ({"turns": [TURNS[0], {**TURNS[1], "prompt_token_ids": [1, 2, 9, 4]}]}, "TRAINER-189"),
    ],
)
def test_a_wrong_record_breaks_its_requirement(wrong: dict[str, Any], requirement: str) -> None:
    assert broken(records(view(reply(), record={**RECORD, **wrong}))) == {requirement}


def test_drift_that_is_shown_is_no_breach() -> None:
    turns = [TURNS[0], {**TURNS[1], "prompt_token_ids": [1, 2, 9, 4]}]
    drift = {"turn": 2, "position": 2, "expected": 3, "seen": 9}
    assert broken(records(view(reply(), record={**RECORD, "turns": turns, "drift": drift}))) == set()


def test_a_start_before_the_tools_is_out_of_order() -> None:
    case = view(reply())
    case.trace.event("", "trainer", "StartSent", 0)
    assert broken(order(case)) == {"TRAINER-196"}


def test_an_error_that_shows_its_inside_is_found() -> None:
    assert broken(leaks(view({"error": 'File "/x.py", line 3'}, status=500))) == {"TRAINER-300"}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "cases:\n- name: a\n  requirements: [TRAINER-178]\n  steps: [start_rolout]\n",
            "x.yaml:4:11: cases.0.steps.0: unknown step 'start_rolout'",
        ),
        ("cases:\n- name: a\n  requirements: [TRAINER-999]\n  steps: [start_rollout]\n", "no requirement TRAINER-999"),
        (
            "cases:\n- name: a\n  requirements: [TRAINER-178]\n  steps: [{generate: {response_mask: short, histroy: truncated}}]\n",
            "unknown key 'histroy'",
        ),
        (
            "cases:\n- name: a\n  requirements: [TRAINER-178]\n  trainer: []\n  steps: [start_rollout]\n",
            "unknown key 'trainer'",
        ),
        (
            "cases:\n- name: a\n  requirements: [TRAINER-178]\n  steps: [{generate: {response_mask: wide}}]\n",
            "response_mask: unknown word 'wide'",
        ),
        ("cases:\n- name: a\n  requirements: [TRAINER-178]\n", "steps"),
    ],
)
def test_a_bad_scenario_is_told_where_and_what(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "x.yaml").write_text(text)
    with pytest.raises(SuiteError) as error:
        case_catalog.among([tmp_path / "x.yaml"], PROFILE)
    assert told in str(error.value)


ASKED = [*QUESTION, {"role": "assistant", "content": "Eight."}, {"role": "user", "content": "And 9 minus 4?"}]


def later(first: str, inserted: str, **request: Any) -> set[str]:
    """What is found in a generation whose prompt continues the ids of the turn before, which sampled the text `first`."""
    case = view(reply(ASKED[1], token_ids=TOKENS.encode(first), logprobs=[-0.5] * len(TOKENS.encode(first))))
    rollout = case.rollouts[""]
    rollout.calls[0] = Call(0, {**rollout.calls[0].body, **request}, right=True)
    prompt = [*TOKENS.prompt_ids(QUESTION, tools()), *TOKENS.encode(first), *TOKENS.encode(inserted)]
    body = reply(prompt_token_ids=prompt, usage=None)
    del body["usage"]
    n = case.trace.open(Request("POST", "/v1/chat/completions"), to_target=True)
    case.trace.close(n, Response(200, (), json.dumps(body).encode()))
    rollout.calls.append(Call(n, {"messages": ASKED}, right=True))
    return broken(replies(case)) - {"TRAINER-181"}


INSERTED = "\n<|im_start|>user\nAnd 9 minus 4?<|im_end|>\n<|im_start|>assistant\n"


def test_a_turn_may_end_with_any_special_token() -> None:
    assert later("Eight.<|im_end|>", INSERTED) == later("Eight.<|endoftext|>", INSERTED) == set()


def test_a_turn_that_a_stop_text_ended_has_no_end_of_turn() -> None:
    assert later("Eight.", f"<|im_end|>{INSERTED}", stop=["."]) == set()
    assert later("Eight.", f"<|im_end|>{INSERTED}") == {"TRAINER-182"}


def test_a_missing_line_break_behind_a_turn_is_found() -> None:
    assert later("Eight.<|im_end|>", INSERTED[1:]) == {"TRAINER-183"}


def test_a_message_that_the_request_does_not_have_is_found_before_the_others() -> None:
    assert later("Eight.<|im_end|>", f"\n<|im_start|>system\nYou help.<|im_end|>{INSERTED}") == {"TRAINER-183"}


def test_the_end_of_a_truncated_turn_may_be_inserted() -> None:
    assert later("Eig", f"ht.<|im_end|>{INSERTED}", stop=["."]) - {"TRAINER-182"} == set()
