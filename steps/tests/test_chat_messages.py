"""What a finding about a completion says: which end is wrong, and for a stream which of its chunks."""

from collections.abc import Sequence
from typing import Any

import pytest

from rollout_conformance.steps.engine.findings import Finding, Satisfied
from rollout_conformance.steps.engine.trace import Trace
from rollout_conformance.steps.http.responses import Responses
from rollout_conformance.steps.profiles.chat.assembled_stream import assembled
from rollout_conformance.steps.profiles.chat.card import ServerCard
from rollout_conformance.steps.profiles.chat.expectations.sampling import SameCompletion, SameFinish, SameLogprobs
from rollout_conformance.steps.profiles.chat.invariants.calls import calls
from rollout_conformance.steps.profiles.chat.invariants.completions import finish_reasons
from rollout_conformance.steps.profiles.chat.invariants.streams import streams
from rollout_conformance.steps.profiles.chat.responses import ChatResponse
from rollout_conformance.steps.profiles.chat.view import CaseContext, CaseView
from rollout_conformance.steps.sse.streams import DONE, Chunk

Json = dict[str, object]

CONTEXT = CaseContext("m", None, None, ServerCard(), 4096)
HEAD: Json = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1_700_000_000, "model": "m"}


def call(name: str = "call_1", arguments: object = '{"a": 5}') -> Json:
    return {"id": name, "type": "function", "function": {"name": "add", "arguments": arguments}}


def whole(finish: str = "stop", *, logprobs: int = 0, **message: object) -> ChatResponse:
    entries = [{"token": "a", "logprob": -0.5} for _ in range(logprobs)]
    choice = {"index": 0, "message": message, "finish_reason": finish, "logprobs": {"content": entries}}
    return ChatResponse("whole", 0, {"max_tokens": 4, "logprobs": True}, 200, {"choices": [choice]})


def delta(index: int = 0, finish: str | None = None, *, logprobs: int = 0, **members: object) -> Json:
    entries = [{"token": "a", "logprob": -0.5} for _ in range(logprobs)]
    more: Json = {"logprobs": {"content": entries}} if logprobs else {}
    return {**HEAD, "choices": [{"index": index, "delta": members, "finish_reason": finish, **more}]}


def stream(*data: object, status: int = 200) -> ChatResponse:
    chunks = tuple(Chunk(0.0, one) for one in data)
    headers = (("content-type", "text/event-stream"),)
    request = {"max_tokens": 4, "stream": True, "logprobs": True}
    return ChatResponse("stream", 1, request, status, assembled(chunks), chunks, headers=headers)


def view(*responses: ChatResponse) -> CaseView:
    return CaseView(Trace(), Responses.of(responses), CONTEXT)


def compared(demand: SameCompletion | SameLogprobs | SameFinish, *responses: ChatResponse) -> Finding | None:
    found = list(demand.judge(view(*responses), "CHAT-050"))
    return next((one for one in found if isinstance(one, Finding)), None)


def broken(response: ChatResponse) -> dict[str, str]:
    found = [*streams(view(response)), *calls(view(response)), *finish_reasons(view(response))]
    return {one.requirement: one.observed for one in found if isinstance(one, Finding)}


ROLE = delta(role="assistant", content="")
BY_TEXT = SameCompletion(of=("all",), by="text")


@pytest.mark.parametrize("name", ["reasoning", "reasoning_content"])
def test_reasoning_is_compared_by_either_name(name: str) -> None:
    thought: dict[str, Any] = {name: "Hm."}
    reply = whole(content="Paris", **thought)
    assert compared(BY_TEXT, reply, stream(ROLE, delta(**thought), delta(finish="stop", content="Paris"))) is None
    lost = compared(BY_TEXT, reply, stream(ROLE, delta(finish="stop", content="Paris"), DONE))
    assert lost is not None
    assert (lost.expected, lost.observed.partition(";")[0]) == (
        'as without `stream`: reasoning "Hm."',
        "reasoning null",
    )


def test_white_space_between_reasoning_and_content_is_nobodys() -> None:
    reply = whole(content="Paris", reasoning="Hm.")
    assert (
        compared(BY_TEXT, reply, stream(delta(reasoning="\nHm.\n"), delta(finish="stop", content="\n\nParis"))) is None
    )


def test_the_chunk_that_is_wrong_is_shown_with_its_neighbours() -> None:
    pieces = [delta(content=one) for one in ("One", " two", " thre", " four")]
    found = compared(BY_TEXT, whole(content="One two three four"), stream(ROLE, *pieces, delta(finish="stop"), DONE))
    assert found is not None
    assert found.expected == 'as without `stream`: content "One two three four"'
    assert 'chunk 3 {"choices"' in found.observed
    assert 'chunk 4 (here) {"choices":[{"index":0,"delta":{"content":" four"}' in found.observed
    assert "chunk 2 " not in found.observed


def test_a_long_text_is_shown_around_its_first_difference() -> None:
    text = "a" * 500 + "b" + "a" * 500
    found = compared(BY_TEXT, whole(content=text), stream(delta(finish="stop", content="a" * 1001)))
    assert found is not None
    assert "ab" in found.expected
    assert len(found.expected) < 250


def test_what_was_rejected_is_compared_with_nothing() -> None:
    assert compared(BY_TEXT, whole(content="Hi."), stream(status=400)) is None


def test_a_stream_without_a_finish_reason_has_one_fault() -> None:
    unended = stream(ROLE, delta(content="Hi."), DONE)
    assert compared(BY_TEXT, whole(content="Hi."), unended) is None
    assert set(broken(unended)) == {"CHAT-051"}


def test_choices_that_end_often_and_never_are_counted() -> None:
    roles = [delta(index, role="assistant", content="") for index in range(3)]
    observed = broken(stream(*roles, *(delta(finish="stop") for _ in range(3)), DONE))["CHAT-051"]
    assert observed.startswith(
        "choice 0 has a finish_reason 3 times (chunks 3, 4, 5); choices 1, 2 never have one; chunk 3 {"
    )
    assert "chunk 4 (here)" in observed


@pytest.mark.parametrize(
    ("data", "told"),
    [
        ([ROLE, delta(finish="stop")], "data: [DONE] is missing"),
        ([ROLE, delta(finish="stop"), DONE, DONE], "data: [DONE] is sent 2 times (chunks 2, 3)"),
        (
            [ROLE, delta(finish="stop"), delta(content="more"), DONE],
            "choice 0 continues after its finish_reason, in chunk 2",
        ),
        ([ROLE, delta(content="a"), DONE], "choice 0 never has one"),
        ([DONE], "it has no choice"),
    ],
    ids=["no end", "two ends", "more", "no finish", "nothing"],
)
def test_the_order_of_a_stream_is_told_in_plain_words(data: Sequence[object], told: str) -> None:
    assert broken(stream(*data))["CHAT-051"].startswith(told)


def test_a_name_that_is_sent_again_has_one_fault() -> None:
    """Clients would join the two; the call is the same one all the same."""
    first = {"index": 0, **call()}
    again = {"index": 0, "id": "call_1", "type": "function", "function": {"name": "add"}}
    repeated = stream(ROLE, delta(tool_calls=[first]), delta(finish="tool_calls", tool_calls=[again]), DONE)
    assert set(broken(repeated)) == {"CHAT-058"}
    assert broken(repeated)["CHAT-058"].startswith('call 0 has its name twice, "add" and "add"; chunk 1 {')
    assert compared(BY_TEXT, whole("tool_calls", content=None, tool_calls=[call()]), repeated) is None


def test_an_id_that_two_calls_share_is_named() -> None:
    observed = broken(whole("tool_calls", tool_calls=[call("call_7e2f"), call("call_7e2f")]))
    assert observed == {"CHAT-040": 'the id "call_7e2f" 2 times in one message'}


@pytest.mark.parametrize("arguments", ["", " ", None, {}])
def test_arguments_are_never_empty(arguments: object) -> None:
    observed = broken(whole("tool_calls", tool_calls=[call(arguments=arguments)]))
    assert observed["CHAT-040"].startswith("tool_calls[0].function.arguments is ")


def test_arguments_may_be_cut_before_they_begin() -> None:
    assert broken(whole("length", tool_calls=[call(arguments="")])) == {}


def test_a_cut_call_ends_with_length() -> None:
    usage = {"usage": {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}}
    cut = [delta(tool_calls=[{"index": 0, **call(arguments='{"a"')}]), delta(finish="tool_calls")]
    counted = stream(ROLE, *cut, {**HEAD, "choices": [], **usage}, DONE)
    assert broken(counted) == {"CHAT-038": '"tool_calls"'}
    reply = whole("length", tool_calls=[call(arguments='{"a"')])
    assert compared(SameFinish(), reply, counted) is None  # found already
    uncounted = compared(SameFinish(), reply, stream(ROLE, *cut, DONE))
    assert uncounted is not None
    assert uncounted.expected == 'finish_reason "length" in stream as in whole'
    assert compared(SameFinish(), reply, stream(ROLE, cut[0], delta(finish="length"), DONE)) is None


@pytest.mark.parametrize(("count", "ok"), [(4, True), (3, True), (5, True), (2, False), (0, False)])
def test_a_stream_has_as_many_logprobs(count: int, ok: bool) -> None:
    """Where no ids show what was sampled, the end of the turn may have an entry or none."""
    found = compared(SameLogprobs(), whole(content="aaaa", logprobs=4), stream(ROLE, delta(logprobs=count), DONE))
    assert (found is None) == ok
    if found is not None:
        assert (found.expected, found.observed) == ("4 logprobs in choice 0", f"{count} logprobs in choice 0")


def test_no_logprobs_are_as_many_as_none() -> None:
    demand = SameLogprobs()
    found = list(demand.judge(view(whole(content=None), stream(ROLE, DONE)), "CHAT-055"))
    assert found == [Satisfied("CHAT-055")]


def test_nothing_is_compared_with_a_reply_without_logprobs() -> None:
    assert compared(SameLogprobs(), whole(content="aaaa"), stream(ROLE, delta(logprobs=4), DONE)) is None
