"""The invariants of chat where a server returns no token ids: what logprobs, counts and texts show by themselves."""

from typing import Any

import pytest

from rollout_conformance.steps.engine.findings import Finding
from rollout_conformance.steps.engine.trace import Trace
from rollout_conformance.steps.http.responses import Responses
from rollout_conformance.steps.profiles.chat.card import ChatCard
from rollout_conformance.steps.profiles.chat.profile import PROFILE
from rollout_conformance.steps.profiles.chat.responses import ChatResponse
from rollout_conformance.steps.profiles.chat.view import CaseContext, CaseView
from rollout_conformance.steps.sse.streams import DONE
from rollout_conformance.steps.tests.chat_answers import (
    QUESTION,
    asked,
    chunks,
    judged,
    streamed,
)

# ------------------------------------------------------------------------------------------------ without token ids

PLAIN = CaseContext("m", None, None, ChatCard(), 4096, frozenset({"logprobs"}))
SUM = ["The", " sum", " is", " 8"]


def entries(tokens: list[str], end: str = "<|im_end|>") -> list[dict[str, Any]]:
    return [{"token": one, "logprob": -0.5, "bytes": [*one.encode()]} for one in (*tokens, *([end] if end else []))]


def untold(content: str, logprobs: Any, sampled: int, **message: Any) -> dict[str, Any]:
    """A reply as a server gives it that shows no ids."""
    usage = {"prompt_tokens": 3, "completion_tokens": sampled, "total_tokens": 3 + sampled}
    choice = {"index": 0, "message": {"role": "assistant", "content": content, **message}, "finish_reason": "stop"}
    head = {"id": "chatcmpl-1", "object": "chat.completion", "created": 1_700_000_000, "model": "m"}
    return {**head, "choices": [{**choice, "logprobs": {"content": logprobs}}], "usage": usage}


def plainly(answer: dict[str, Any], **more: Any) -> set[str]:
    wishes = {"model": "m", "messages": QUESTION, "max_tokens": 256, "logprobs": True, **more}
    return judged(ChatResponse("it", 0, wishes, 200, answer), context=PLAIN)["broken"]


THOUGHT = ["<think>", "\n", "Hm.", "\n", "</think>", "\n\n"]


@pytest.mark.parametrize("name", ["reasoning", "reasoning_content"])
@pytest.mark.parametrize("logprobs", [entries([*THOUGHT, *SUM]), entries(SUM), entries(SUM, "")], ids=str)
def test_reasoning_may_have_logprobs_or_none(name: str, logprobs: Any) -> None:
    assert plainly(untold("The sum is 8", logprobs, 11, **{name: "Hm."})) == set()


def test_reasoning_that_is_only_counted_is_no_wrong_count() -> None:
    answer = untold("The sum is 8", entries(SUM), 25)
    assert plainly(answer) == {"CHAT-011"}
    answer["usage"]["completion_tokens_details"] = {"reasoning_tokens": 20}
    assert plainly(answer) == set()


def test_the_count_is_judged_where_the_logprobs_are_all_of_the_content() -> None:
    assert [sampled for sampled in range(10) if plainly(untold("The sum is 8", entries(SUM), sampled))] == [
        *range(4),
        *range(7, 10),
    ]


def test_logprobs_that_are_lost_are_never_a_wrong_count() -> None:
    assert plainly(untold("The sum is 8", entries(SUM[1:]), 5)) == {"CHAT-023"}
    assert plainly(untold("The sum is 8", [], 5)) == {"CHAT-023"}


def test_logprobs_that_a_stream_lost_are_said_to_be_missing() -> None:
    view = CaseView(Trace(), Responses.of([streamed(chunks(), logprobs=True)]), PLAIN)
    (found,) = [one for invariant in PROFILE.invariants for one in invariant(view) if isinstance(one, Finding)]
    assert (found.requirement, found.observed) == ("CHAT-023", "no logprobs in the stream")


def continued(logprobs: list[dict[str, Any]], **last: Any) -> set[str]:
    """What is found where the request ends with an assistant message that the response has again, and continues."""
    return plainly(
        untold("The sum is 8", logprobs, len(logprobs)), messages=[*QUESTION, {**last, "content": "The sum"}]
    )


def test_a_message_that_is_continued_has_logprobs_of_what_was_sampled() -> None:
    assert continued(entries(SUM[2:]), role="assistant") == set()
    assert continued(entries(SUM), role="assistant") == set()
    assert continued(entries(SUM[3:]), role="assistant") == {"CHAT-023"}
    assert continued(entries(SUM[2:]), role="user") == {"CHAT-023"}


def test_nothing_is_owed_to_a_negative_number_of_alternatives() -> None:
    assert plainly(untold("The sum is 8", None, 5), top_logprobs=-1) == set()
    assert plainly(untold("The sum is 8", None, 5), top_logprobs=0) == {"CHAT-023"}


@pytest.mark.parametrize(
    ("text", "sampled", "wanted"),
    [
        ("\ufffd", -3.0, set()),  # half a character, and not the one that is listed
        ("", -3.0, set()),
        ("\ufffd", -0.2, {"CHAT-037"}),  # likelier than what is listed, and not listed
        (" is", -3.0, {"CHAT-037"}),
    ],
    ids=str,
)
def test_tokens_that_share_a_text_are_told_apart_by_what_is_likely(text: str, sampled: float, wanted: set[str]) -> None:
    one = {"token": text, "logprob": sampled, "bytes": None}
    tops = [{"token": "a", "logprob": -0.3, "bytes": None}, {"token": text, "logprob": -2.0, "bytes": None}]
    answer = untold("The sum is 8", [*entries(SUM, ""), {**one, "top_logprobs": tops}], 5)
    assert plainly(answer, temperature=1, top_logprobs=2) == wanted


ROCKET = "\U0001f680".encode()


@pytest.mark.parametrize(
    ("pieces", "wanted"),
    [
        ([b"Go ", ROCKET[:2], ROCKET[2:]], set()),
        ([b"Go ", ROCKET[:2], ROCKET[:2]], {"CHAT-023"}),
        ([b"Go ", ROCKET[2:], ROCKET[:2]], {"CHAT-023"}),
        ([b"Go ", b"", ROCKET], set()),  # as vLLM gives them
        ([b"Go ", "\ufffd".encode(), "\ufffd".encode()], {"CHAT-023"}),
        ([b"Og ", "\ufffd".encode(), "\ufffd".encode()], {"CHAT-023"}),
    ],
    ids=str,
)
def test_the_bytes_of_logprobs_are_those_of_the_content(pieces: list[bytes], wanted: set[str]) -> None:
    told = [{"token": one.decode("utf-8", "replace"), "logprob": -0.5, "bytes": [*one]} for one in pieces]
    assert plainly(untold("Go \U0001f680", told, 3)) == wanted


@pytest.mark.parametrize(
    ("pieces", "wanted"),
    [
        ([b"Go ", ROCKET[:2], ROCKET[2:]], {"CHAT-023"}),  # a whole character was replaced
        ([b"Go ", ROCKET[:2]], set()),  # half a character has no other form
        ([b"Go ", "\ufffd".encode()], set()),  # the model wrote it
        ([b"Go ", b""], set()),  # vLLM has no bytes for a token whose bytes it replaced
    ],
    ids=str,
)
def test_a_replaced_character_is_a_breach_where_the_bytes_have_all_of_it(pieces: list[bytes], wanted: set[str]) -> None:
    told = [{"token": one.decode("utf-8", "replace"), "logprob": -0.5, "bytes": [*one]} for one in pieces]
    assert plainly(untold("Go \ufffd", told, len(told))) == wanted


def test_bytes_that_are_null_leave_the_letters_to_the_tokens() -> None:
    told = [{"token": one, "logprob": -0.5, "bytes": None} for one in ("Go ", "bytes:\\xf0\\x9f", "bytes:\\x9a\\x80")]
    assert plainly(untold("Go \U0001f680", told, 3)) == set()


def test_a_first_chunk_that_names_nothing_is_none_of_the_reply() -> None:
    """Azure begins a stream with what its filters say of the prompt."""
    first = {"choices": [], "created": 0, "id": "", "model": "", "object": "", "prompt_filter_results": []}
    assert judged(streamed([first, *chunks()]))["broken"] == set()
    assert judged(streamed([{**first, "id": "chatcmpl-9"}, *chunks()]))["broken"] == {"CHAT-052", "CHAT-062"}


def test_a_refusal_has_an_error_object() -> None:
    assert judged(ChatResponse("it", 0, asked(), 422, {"detail": "no"}))["broken"] == {"CHAT-008"}
    assert judged(ChatResponse("it", 0, asked(), 422, {"error": {"message": "no"}}))["broken"] == set()
    assert judged(ChatResponse("it", 0, asked(), 401, {"error": "who are you?"}))["broken"] == set()
    assert (
        judged(ChatResponse("it", 0, {}, 404, {"detail": "Not Found"}))["broken"] == set()
    )  # a path that is not there


def test_a_stream_that_is_an_error_and_nothing_else_is_no_disordered_completion() -> None:
    refused = streamed([{"error": {"message": "too many alternatives", "code": 400}}, DONE])
    assert judged(refused)["broken"] & {"CHAT-051", "CHAT-052"} == set()


def test_an_error_that_ends_a_choice_beside_it_is_no_completion_either() -> None:
    def ended(**more: Any) -> dict[str, Any]:
        return {"id": "c", "created": 1, "choices": [{"index": 0, "delta": {}, "finish_reason": "error"}], **more}

    opened = {"id": "c", "created": 1, "choices": [{"index": 0, "delta": {"role": "assistant"}}]}
    refused = [opened, ended(error={"message": "no such model"}), ended(), DONE]
    order = {"CHAT-038", "CHAT-051", "CHAT-052"}
    assert judged(streamed(refused))["broken"] & order == set()
    said = {"id": "c", "created": 1, "choices": [{"index": 0, "delta": {"content": "Par"}}]}
    assert judged(streamed([opened, said, *refused[1:]]))["broken"] & order != set()
    assert "CHAT-038" in judged(streamed([opened, ended(), DONE]))["broken"]
