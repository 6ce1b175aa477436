"""What fails a test by a value: names and ids of tool calls, characters beyond 16 bits, deltas of calls, streams without an event."""

import json
from collections.abc import AsyncIterator, Callable
from typing import Any

from rollout_conformance.rollout_server.tests.router import test_streams as streams
from rollout_conformance.rollout_server.tests.router.backend import Fake
from rollout_conformance.rollout_server.tests.router.support import Caller, play_with

EMOJI = "\U0001f680"


def received_as_sent(**members: Any) -> None:
    async def scenario(c: Caller, fakes: list[Fake]) -> None:
        await c.ask(**members)
        received = fakes[0].bodies[0]
        assert {name: received.get(name) for name in members} == members

    play_with(scenario, Fake("a"))


def results(*ids: str) -> None:
    """Tool messages with these ids reach the backend."""
    question = {"role": "user", "content": "Hello!"}
    received_as_sent(messages=[question, *({"role": "tool", "tool_call_id": id, "content": "8"} for id in ids)])


def tool(name: str) -> None:
    received_as_sent(tools=[{"type": "function", "function": {"name": name, "parameters": {"type": "object"}}}])


def parameter(schema: dict[str, Any]) -> None:
    """The schema of a parameter of a tool reaches the backend as it is."""
    parameters = {"type": "object", "properties": {"a": schema}}
    received_as_sent(tools=[{"type": "function", "function": {"name": "add", "parameters": parameters}}])


def earlier_call() -> None:
    """So do the arguments of an earlier call, without a space."""
    function = {"name": "add", "arguments": '{"a":5}'}
    called = {"role": "assistant", "tool_calls": [{"id": "call_1", "type": "function", "function": function}]}
    question = {"role": "user", "content": "Hello!"}
    received_as_sent(messages=[question, called, {"role": "tool", "tool_call_id": "call_1", "content": "5"}])


def few_attempts() -> None:
    async def scenario(c: Caller, fakes: list[Fake]) -> None:
        assert (await c.ask()).status_code >= 500
        assert sum(fake.calls for fake in fakes) <= 3

    play_with(scenario, Fake("a", status=500), Fake("b", status=500))


def usage_beside_choices() -> None:
    async def scenario(c: Caller, fakes: list[Fake]) -> None:
        async def events(body: Any) -> AsyncIterator[bytes]:
            choice = {"index": 0, "delta": {"content": "Hi"}, "finish_reason": "stop"}
            used = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
            yield sent({"object": "chat.completion.chunk", "choices": [choice], "usage": used}) + b"data: [DONE]\n\n"

        fakes[0].events = events  # type: ignore[method-assign]
        assert b'"total_tokens"' in (await c.ask(stream=True, stream_options={"include_usage": True})).content

    play_with(scenario, Fake("a"))


def sent(chunk: dict[str, Any]) -> bytes:
    return b"data: " + json.dumps(chunk, ensure_ascii=False, separators=(",", ":")).encode() + b"\n\n"


def two_logprobs() -> None:
    entries: list[dict[str, Any]] = [
        {"token": text, "logprob": -0.5, "bytes": None, "top_logprobs": []} for text in ("H", "i")
    ]
    choice = {"index": 0, "delta": {"content": "Hi"}, "logprobs": {"content": entries}}
    streams.forwarded(sent({"object": "chat.completion.chunk", "choices": [choice]}))


def long_text() -> None:
    received_as_sent(messages=[{"role": "user", "content": "x" + EMOJI * 256}])


def delta(**members: Any) -> None:
    """A chunk of a stream reaches the client as it is, once."""
    chunk = {"object": "chat.completion.chunk", "choices": [{"index": 0, "delta": members}]}
    streams.forwarded(sent(chunk))


def call(index: int) -> None:
    delta(tool_calls=[{"index": index, "id": "call_1", "function": {"name": "add", "arguments": "{}"}}])


def stream_without_an_event() -> None:
    async def scenario(c: Caller, fakes: list[Fake]) -> None:
        async def events(body: Any) -> AsyncIterator[bytes]:
            nothing: tuple[bytes, ...] = ()
            for event in nothing:
                yield event

        fakes[0].events = events  # type: ignore[method-assign]
        assert b"[DONE]" not in (await c.ask(stream=True)).content

    play_with(scenario, Fake("a"))


FAILING_BY_VALUE: dict[str, Callable[[], None]] = {
    "results_by_id_in_any_case": lambda: results("call_a", "call_A"),
    "ids_of_object_members": lambda: results("constructor"),
    "tools_of_object_members": lambda: tool("__proto__"),
    "pieces_of_utf16": long_text,
    "halves_of_emoji": lambda: delta(content=EMOJI),
    "later_calls_anonymous": lambda: call(1),
    "calls_opened_twice": lambda: call(0),
    "calls_summed_up": lambda: call(0),
    "empty_stream_ok": stream_without_an_event,
    "tools_never_null": lambda: parameter({"anyOf": [{"type": "integer"}, {"type": "null"}]}),
    "tools_of_few_keywords": lambda: parameter({"const": 5}),
    "earlier_calls_written_again": earlier_call,
    "retries_multiplied": few_attempts,
    "usage_beside_choices_lost": usage_beside_choices,
    "one_logprob_of_a_chunk": two_logprobs,
}
