"""The invariants of replies and streams, each shown to hold for what is right and to find one thing that is wrong."""

from copy import deepcopy
from typing import Any

import pytest

from rollout_conformance.steps.engine.findings import Finding
from rollout_conformance.steps.engine.lenient_json import listed
from rollout_conformance.steps.engine.trace import NotJson, Trace
from rollout_conformance.steps.http.responses import Responses
from rollout_conformance.steps.profiles.chat.assembled_stream import assembled
from rollout_conformance.steps.profiles.chat.expectations.usage import UsageChunk
from rollout_conformance.steps.profiles.chat.responses import ChatResponse
from rollout_conformance.steps.profiles.chat.view import CaseView
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
