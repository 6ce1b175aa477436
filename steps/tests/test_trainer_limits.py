"""Truncated generations, overflows and placeholder logprobs: what is found, and what is no breach."""

from typing import Any

import pytest

from rollout_conformance.steps.engine.findings import Finding
from rollout_conformance.steps.profiles.trainer.expectations import OverflowReported, TruncationsMarked
from rollout_conformance.steps.profiles.trainer.invariants.generations import replies
from rollout_conformance.steps.profiles.trainer.logprobs import logprobs
from rollout_conformance.steps.profiles.trainer.profile import PROFILE
from rollout_conformance.steps.profiles.trainer.state import Call, CaseView
from rollout_conformance.steps.tests.test_trainer_profile import TOKENS, reply, view
from rollout_conformance.steps.tests.trainer_traces import several

SHORT = {"role": "assistant", "content": "The result"}
EMPTY = {"role": "assistant", "content": None}


def found(evidence: Any) -> set[str]:
    return {item.requirement for item in evidence if isinstance(item, Finding)}


def asked(body: dict[str, Any], **members: Any) -> CaseView:
    seen = view(body)
    rollout = seen.rollouts[""]
    rollout.calls[0] = Call(0, {**rollout.calls[0].body, **members}, True)
    return seen


def cut(reason: str) -> dict[str, Any]:
    """The first two tokens of a longer reply."""
    ids = TOKENS.encode("The result is 8.")[:2]
    message = {"role": "assistant", "content": TOKENS.decode(ids)}
    choices = [{"index": 0, "message": message, "finish_reason": reason}]
    return reply(SHORT, choices=choices, token_ids=ids, logprobs=[-0.5] * 2)


def test_a_truncated_generation_says_so() -> None:
    assert found(replies(asked(cut("length"), max_tokens=2))) == set()
    assert found(replies(asked(cut("stop"), max_tokens=2))) == {"TRAINER-304"}


def test_a_complete_generation_may_be_as_long_as_max_tokens() -> None:
    whole = reply()
    assert found(replies(asked(whole, max_tokens=len(whole["token_ids"])))) == set()


def test_more_tokens_than_max_tokens_are_found() -> None:
    assert found(replies(asked(reply(), max_tokens=2))) == {"TRAINER-304"}


def test_an_empty_message_of_no_tokens_is_an_overflow_and_nothing_else() -> None:
    nothing: dict[str, Any] = {
        "token_ids": [],
        "logprobs": [],
        "choices": [{"message": EMPTY, "finish_reason": "stop"}],
    }
    assert found(replies(view(reply(**nothing)))) == {"TRAINER-305"}


@pytest.mark.parametrize("reason", ["length", "abort", "error"])
def test_an_empty_message_that_claims_nothing_is_none(reason: str) -> None:
    nothing: dict[str, Any] = {
        "token_ids": [],
        "logprobs": [],
        "choices": [{"message": EMPTY, "finish_reason": reason}],
    }
    assert "TRAINER-305" not in found(replies(view(reply(**nothing))))


@pytest.mark.parametrize(
    ("status", "usage", "broken"),
    [
        (400, None, False),
        (413, None, False),
        (200, None, True),
        (200, {"prompt_tokens": 0, "completion_tokens": 0}, True),
        (200, {"prompt_tokens": 900, "completion_tokens": 1}, True),  # not the whole prompt
        (200, {"prompt_tokens": 90_000, "completion_tokens": 1}, False),  # sampled, and at once the end
    ],
)
def test_what_an_overlong_request_may_be_answered_with(status: int, usage: Any, broken: bool) -> None:
    body = {"choices": [{"message": EMPTY, "finish_reason": "stop"}], "usage": usage}
    seen = several("callback", [(status, body, {})], words=70_000)
    assert found(OverflowReported().judge(seen, "TRAINER-305")) == ({"TRAINER-305"} if broken else set())


def said(reason: str, tokens: int) -> dict[str, Any]:
    message = {"role": "assistant", "content": "The result is"}
    return {"choices": [{"message": message, "finish_reason": reason}], "usage": {"completion_tokens": tokens}}


@pytest.mark.parametrize(
    ("reasons", "broken"), [(("stop", "stop"), True), (("length", "length"), False), (("stop", "length"), False)]
)
def test_without_token_ids_two_limits_are_compared(reasons: tuple[str, str], broken: bool) -> None:
    calls = [(200, said(reason, most), {"max_tokens": most}) for reason, most in zip(reasons, (2, 3), strict=True)]
    seen = several("callback", calls)
    assert found(TruncationsMarked().judge(seen, "TRAINER-304")) == ({"TRAINER-304"} if broken else set())


def test_one_generation_that_ends_at_its_limit_proves_nothing() -> None:
    seen = several("callback", [(200, said("stop", 2), {"max_tokens": 2}), (200, said("stop", 2), {"max_tokens": 3})])
    assert found(TruncationsMarked().judge(seen, "TRAINER-304")) == set()


def zeros(count: int) -> dict[str, Any]:
    return {"choices": [], "logprobs": [0.0] * count}


def test_zeros_at_temperature_one_are_placeholders() -> None:
    assert found(logprobs(several("sync", [(200, zeros(20), {"temperature": 1.0})]))) == {"TRAINER-306"}


def test_a_few_certain_tokens_or_another_temperature_are_none() -> None:
    assert found(logprobs(several("sync", [(200, zeros(5), {"temperature": 1.0})]))) == set()
    assert found(logprobs(several("sync", [(200, zeros(20), {"temperature": 0.0})]))) == set()


@pytest.mark.parametrize(
    ("recorded", "broken"), [([-0.5, -0.25], False), ([-0.5001, -0.25], False), ([-0.5, -2], True)]
)
def test_the_record_has_the_logprobs_of_the_generations(recorded: list[float], broken: bool) -> None:
    record = {"turns": [{"prompt_token_ids": [1], "token_ids": [2, 3]}], "logprobs": [0, *recorded]}
    shifted = record | {"response_mask": [1, 1, 0]}  # a wrong mask is another breach
    for one in (record, shifted):
        seen = view({"choices": [], "logprobs": [-0.5, -0.25]}, record=one)
        assert found(logprobs(seen)) == ({"TRAINER-306"} if broken else set())


def test_a_correct_mask_that_is_rejected_is_the_cause_of_what_follows() -> None:
    seen = several("sync", [(422, {"detail": "response_mask must have 7"}, {"response_mask": [0] * 6})])
    case = PROFILE.greeting("sync")
    found_cause = PROFILE.cause(case, seen)
    assert found_cause is not None
    assert found_cause.finding is not None
    assert (found_cause.finding.requirement, found_cause.certain) == ("TRAINER-185", True)
