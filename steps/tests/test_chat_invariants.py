"""The invariants of replies and streams, each shown to hold for what is right and to find one thing that is wrong."""

from copy import deepcopy
from typing import Any

import pytest

from rollout_conformance.steps.engine.findings import Finding
from rollout_conformance.steps.engine.lenient_json import listed
from rollout_conformance.steps.engine.trace import NotJson, Trace
from rollout_conformance.steps.http.responses import Responses
from rollout_conformance.steps.profiles.chat.assembled_stream import assembled
from rollout_conformance.steps.profiles.chat.card import ChatCard
from rollout_conformance.steps.profiles.chat.expectations.usage import UsageChunk
from rollout_conformance.steps.profiles.chat.profile import PROFILE
from rollout_conformance.steps.profiles.chat.responses import ChatResponse
from rollout_conformance.steps.profiles.chat.view import CaseContext, CaseView
from rollout_conformance.steps.sse.streams import DONE, Chunk
from rollout_conformance.steps.tests.chat_answers import (
    BENCH,
    CALL,
    QUESTION,
    TOOLS,
    Change,
    asked,
    body,
    call_chunks,
    called,
    chunks,
    judged,
    said,
    streamed,
)


def test_what_is_right_holds() -> None:
    whole = judged(ChatResponse("it", 0, asked(), 200, said()))
    assert not whole["broken"]
    assert {f"CHAT-{n:03}" for n in (2, 10, 11, 12, 20, 21, 23, 24, 25, 38)} <= whole["held"]
    call = judged(ChatResponse("it", 0, asked(tools=TOOLS), 200, called()))
    assert not call["broken"]
    assert "CHAT-022" in call["held"]


def test_a_request_without_messages_that_is_answered_is_judged() -> None:
    without = {name: value for name, value in asked().items() if name != "messages"}
    twice = judged(
        ChatResponse("it", 0, without, 200, said()), ChatResponse("it", 1, asked(), 200, said() | {"id": "chatcmpl-2"})
    )
    assert not twice["broken"]
    assert {"CHAT-002", "CHAT-025"} <= twice["held"]


@pytest.mark.parametrize(
    ("more", "broken"),
    [
        ({}, {"CHAT-037"}),
        ({"response_format": {"type": "text"}, "tools": TOOLS}, {"CHAT-037"}),
        ({"response_format": {"type": "json_object"}}, set()),
        ({"tools": TOOLS, "tool_choice": "required"}, set()),
        ({"logit_bias": {"5": -100}}, set()),
        ({"ignore_eos": True}, set()),
    ],
)
def test_logprobs_of_the_model_need_not_have_what_a_constraint_made_greedy_decoding_sample(
    more: dict[str, Any], broken: set[str]
) -> None:
    reply = said()
    for entry in reply["choices"][0]["logprobs"]["content"]:
        entry["top_logprobs"] = [{"token": "other", "logprob": -0.9, "bytes": None}]
    found = judged(ChatResponse("it", 0, asked(top_logprobs=1, **more), 200, reply))
    assert found["broken"] & {"CHAT-037"} == broken


@pytest.mark.parametrize("used", [{}, {"usage": {"total_tokens": 3}}], ids=["never", "beside choices"])
def test_where_usage_stands_is_one_breach(used: dict[str, Any]) -> None:
    data = chunks()
    data[-2] |= used
    view = CaseView(Trace(), Responses.of([streamed(data)]), BENCH)
    found = [one for one in UsageChunk(present=True).judge(view, "CHAT-059") if isinstance(one, Finding)]
    assert [one.requirement for one in found] == ["CHAT-053"]
    assert ("with choices" in found[0].observed) == bool(used)


def test_a_stream_that_is_right_holds() -> None:
    for found in (judged(streamed(chunks())), judged(streamed(call_chunks(), tools=TOOLS))):
        assert not found["broken"]
        assert {"CHAT-051", "CHAT-052", "CHAT-057"} <= found["held"]


def at(*path: Any, be: Any) -> Change:
    """A copy in which one place is something else; `be` may be a function of what stood there."""

    def change(whole: Any) -> Any:
        whole = deepcopy(whole)
        inner = whole
        for key in path[:-1]:
            inner = inner[key]
        inner[path[-1]] = be(inner[path[-1]]) if callable(be) else be
        return whole

    return change


MESSAGE, ENTRIES = ("choices", 0, "message"), ("choices", 0, "logprobs", "content")
WRONG_REPLIES: list[tuple[str, Change, set[int]]] = [
    ("created in milliseconds", at("created", be=1_700_000_000_000), {2}),
    ("created is a text", at("created", be="now"), {2}),
    ("an object of another kind", at("object", be="chat.completion.chunk"), {2}),
    ("no id", at("id", be=None), {2}),
    ("no choices", at("choices", be=[]), {2}),
    ("choices that are no list", at("choices", be={"0": {}}), {2}),
    ("a total that is no sum", at("usage", "total_tokens", be=lambda n: n + 1), {10}),
    ("one sampled token too many", at("usage", be=lambda u: _usage(u, sampled=1)), {11}),
    ("one prompt token too few", at("usage", be=lambda u: _usage(u, prompt=-1)), {12}),
    ("no ids", at("choices", 0, "token_ids", be=None), {20}),
    ("ids that are texts", at("choices", 0, "token_ids", be=["a"]), {20}),
    ("no ids of the prompt", at("prompt_token_ids", be=None), {20}),
    ("the end of the turn left out", at("choices", 0, be=lambda c: _shorter(c)), {11, 20}),
    ("another text than its ids", at(*MESSAGE, "content", be="Five plus three is 9."), {21}),
    ("one logprob less", at(*ENTRIES, be=lambda e: e[:-1]), {23}),
    ("logprobs shifted by one", at(*ENTRIES, be=lambda e: [*e[1:], e[0]]), {23}),
    ("a logprob above 0", at(*ENTRIES, 0, "logprob", be=0.5), {24}),
    ("a logprob that is none", at(*ENTRIES, 0, "logprob", be=None), {24}),
    ("a logprob without bounds", at(*ENTRIES, 0, "logprob", be=-1e308), {24}),
    ("a prompt of another template", at("prompt_token_ids", be=lambda ids: [ids[0], *ids]), {12, 25}),
    ("cut where nothing was cut", at("choices", 0, "finish_reason", be="length"), {38}),
    ("an end of no kind", at("choices", 0, "finish_reason", be=["stop"]), {38}),
]


def _usage(usage: dict[str, int], prompt: int = 0, sampled: int = 0) -> dict[str, int]:
    counts = {
        "prompt_tokens": usage["prompt_tokens"] + prompt,
        "completion_tokens": usage["completion_tokens"] + sampled,
    }
    return {**counts, "total_tokens": sum(counts.values())}


def _shorter(choice: dict[str, Any]) -> dict[str, Any]:
    entries = choice["logprobs"]["content"][:-1]
    return {**choice, "token_ids": choice["token_ids"][:-1], "logprobs": {"content": entries}}


def numbers(names: set[int]) -> set[str]:
    return {f"CHAT-{n:03}" for n in names}


@pytest.mark.parametrize(("what", "change", "wanted"), WRONG_REPLIES, ids=[what for what, *_ in WRONG_REPLIES])
def test_what_is_wrong_with_a_reply_is_named(what: str, change: Change, wanted: set[int]) -> None:
    assert judged(ChatResponse("it", 0, asked(), 200, change(said())))["broken"] == numbers(wanted)


def test_arguments_that_were_written_anew_are_found() -> None:
    spaced = at(*MESSAGE, "tool_calls", 0, "function", "arguments", be='{"a":5,"b":3}')(called())
    assert judged(ChatResponse("it", 0, asked(tools=TOOLS), 200, spaced))["broken"] == {"CHAT-022"}


def test_an_id_of_an_earlier_call_is_found() -> None:
    history = [*QUESTION, {"role": "assistant", "content": None, "tool_calls": [CALL]}]
    wishes = {"model": "m", "messages": history, "tools": TOOLS}
    answer = {**called(), "prompt_token_ids": None}
    assert "CHAT-040" in judged(ChatResponse("it", 0, wishes, 200, answer))["broken"]


def test_an_id_that_two_replies_share_is_found() -> None:
    assert judged(*(ChatResponse("it", n, asked(), 200, said()) for n in range(2)))["broken"] == {"CHAT-009"}


def test_a_prompt_that_does_not_go_on_from_the_turn_before_is_found() -> None:
    before = ChatResponse("it", 0, asked(), 200, said())
    history = [*QUESTION, {"role": "assistant", "content": "Five plus three is 8."}, *QUESTION]
    prompt = [*listed(before.fields["prompt_token_ids"]), 1, *(before.choices[0].ids or ())[1:]]
    after = ChatResponse(
        "it", 1, asked(messages=history), 200, {**said(), "id": "chatcmpl-2", "prompt_token_ids": prompt}
    )
    assert "CHAT-026" in judged(before, after)["broken"]


WRONG_STREAMS: list[tuple[str, Change, set[int]]] = [
    ("no [DONE]", lambda data: data[:-1], {51}),
    ("[DONE] twice", lambda data: [*data, DONE], {51}),
    ("something after [DONE]", lambda data: [*data, data[1]], {51}),
    ("no end", lambda data: [*data[:3], DONE], {51}),
    ("two ends", lambda data: [*data[:4], data[3], DONE], {51}),
    ("the role twice", lambda data: [data[0], *data], {52}),
    ("no role", lambda data: data[1:], {52}),
    ("another id", at(2, "id", be="chatcmpl-2"), {52}),
    ("another model", at(2, "model", be="n"), {52}),
    ("another time", at(2, "created", be=1_700_000_001), {62}),
    ("a reply's object", at(1, "object", be="chat.completion"), {52}),
    ("a chunk that is no JSON", lambda data: [*data[:2], NotJson("cut off"), *data[2:]], {52}),
    ("choices of no kind", at(0, "choices", be=7), {52}),
    ("a delta of no kind", at(0, "choices", 0, "delta", be="x"), {52}),
]


@pytest.mark.parametrize(("what", "change", "wanted"), WRONG_STREAMS, ids=[what for what, *_ in WRONG_STREAMS])
def test_what_is_wrong_with_a_stream_is_named(what: str, change: Change, wanted: set[int]) -> None:
    assert judged(streamed(change(chunks())))["broken"] == numbers(wanted)


@pytest.mark.parametrize(
    "change",
    [
        at(2, "choices", 0, "delta", "tool_calls", 0, "index", be=None),
        at(2, "choices", 0, "delta", "tool_calls", 0, be=lambda piece: {**piece, "id": "call-2"}),
        at(2, "choices", 0, "delta", "tool_calls", 0, "function", be=lambda f: {**f, "name": "add"}),
        at(2, "choices", 0, "delta", "tool_calls", 0, "index", be=[0]),
    ],
    ids=["no index", "another id", "the name twice", "an index of no kind"],
)
def test_a_piece_of_a_call_that_has_no_place_is_found(change: Change) -> None:
    assert "CHAT-058" in judged(streamed(change(call_chunks()), tools=TOOLS))["broken"]


def test_a_stream_says_what_it_is() -> None:
    assert judged(streamed(chunks(), kind="application/json"))["broken"] == {"CHAT-057"}


@pytest.mark.parametrize(
    ("status", "text", "wanted"),
    [
        (400, '{"error": {"message": "no such model"}}', set()),
        (500, 'Traceback (most recent call last):\n  File "/srv/app.py", line 3', {"CHAT-005"}),
        (401, '{"error": {"message": "the-key-of-the-suite is unknown"}}', {"CHAT-007"}),
        (200, '{"echo": "the-key-of-the-suite"}', {"CHAT-007"}),
    ],
)
def test_an_answer_shows_neither_its_inside_nor_a_key(status: int, text: str, wanted: set[str]) -> None:
    assert judged(ChatResponse("it", 0, {}, status, None, raw=text.encode()))["broken"] == wanted


@pytest.mark.parametrize("index", [10**12, -1, "x", None, [0], True], ids=repr)
def test_an_index_out_of_all_bounds_is_no_place(index: Any) -> None:
    """A stream may name a choice or a call that cannot be; putting it together takes no more memory for that."""
    data = call_chunks()
    data[1]["choices"][0]["index"] = index
    data[2]["choices"][0]["delta"]["tool_calls"][0]["index"] = index
    whole = assembled([Chunk(0.0, one) for one in data])
    assert len(whole["choices"]) == 1
    assert len(whole["choices"][0]["message"]["tool_calls"]) == 1


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


def test_a_turn_that_the_limit_ended_is_not_accused_of_its_missing_end_token() -> None:
    reply = body({"content": None, "tool_calls": [CALL]}, "tool_calls", TOOLS)
    choice = reply["choices"][0]
    choice["token_ids"], choice["logprobs"]["content"] = (
        choice["token_ids"][:-1],
        choice["logprobs"]["content"][:-1],
    )
    count = len(choice["token_ids"])
    reply["usage"] = _usage(reply["usage"], sampled=-1)
    found = judged(ChatResponse("it", 0, asked(tools=TOOLS, max_tokens=count), 200, reply))["broken"]
    assert "CHAT-020" not in found
    assert "CHAT-038" in found
