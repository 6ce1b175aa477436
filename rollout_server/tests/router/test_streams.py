"""Streams: forwarded incrementally, ended with the client, and never completed by the router."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from rollout_conformance.rollout_server.tests.router.backend import WORDS, Fake
from rollout_conformance.rollout_server.tests.router.support import (
    KEY,
    PATH,
    Caller,
    body,
    chunks,
    error,
    play_with,
    said,
    until,
)

USAGE = {"include_usage": True}
DONE = b"data: [DONE]\n\n"
CALL = (
    b'data: {"choices": [{"index": 0, "delta": {"tool_calls": [], "function_call": {}, "reasoning": "", "reasoning_content": "", '
    b'"refusal": ""}, "logprobs": {}, "token_ids": [], "finish_reason": "abort"}]}\n\n'
)


@pytest.mark.parametrize("options", [None, USAGE, {"include_usage": False}], ids=str)
def test_a_stream_is_passed_on(options: Any) -> None:
    async def scenario(c: Caller, fakes: list[Fake]) -> None:
        more = {} if options is None else {"stream_options": options}
        response = await c.ask(stream=True, **more)
        assert response.headers["content-type"] == "text/event-stream"
        assert response.headers["x-routing-backend"] == "a"
        events = chunks(response.text)
        assert said(events) == "".join(WORDS)
        assert (events[-1], events.count("[DONE]")) == ("[DONE]", 1)
        assert [e["usage"] for e in events[:-1] if "usage" in e] == ([fakes[0].usage(7)] if options == USAGE else [])
        assert fakes[0].bodies[0]["stream_options"]["include_usage"] is True

    play_with(scenario, Fake("a"))


def forwarded(event: bytes, end: bytes = b"data: [DONE]\n\n") -> None:
    async def scenario(c: Caller, fakes: list[Fake]) -> None:
        async def events(body: Any) -> AsyncIterator[bytes]:
            yield event + end

        fakes[0].events = events  # type: ignore[method-assign]
        assert (await c.ask(stream=True)).content == event + end

    play_with(scenario, Fake("a"))


def forwarded_in_parts(event: bytes) -> None:
    """A backend sends an event byte by byte, each in a packet of its own."""

    async def scenario(c: Caller, fakes: list[Fake]) -> None:
        async def events(body: Any) -> AsyncIterator[bytes]:
            for byte in event + DONE:
                yield bytes([byte])
                await asyncio.sleep(0.001)

        fakes[0].events = events  # type: ignore[method-assign]
        assert (await c.ask(stream=True)).content == event + DONE

    play_with(scenario, Fake("a"))


@pytest.mark.parametrize(
    ("event", "end"),
    [
        (CALL, DONE),
        (CALL.replace(b"\n", b"\r\n"), DONE),
        (CALL.replace(b"\n", b"\r"), b"data: [DONE]\r\r"),
        (b": ping\n\n" + CALL, b"data:[DONE]\n\n"),
        (b"event: message\nid: 1\n" + CALL, DONE),
        (b'data: {"choices":\ndata: []}\n\n', DONE),
    ],
)
def test_an_event_is_forwarded_byte_for_byte(event: bytes, end: bytes) -> None:
    forwarded(event, end)


@pytest.mark.parametrize("event", [CALL, b'data: {"error": {"message": "m"}}\n\n'])
def test_a_stream_that_ends_in_order_is_not_completed(event: bytes) -> None:
    async def scenario(c: Caller, fakes: list[Fake]) -> None:
        async def events(body: Any) -> AsyncIterator[bytes]:
            yield event

        fakes[0].events = events  # type: ignore[method-assign]
        found = chunks((await c.ask(stream=True)).text)
        assert "[DONE]" not in found
        assert found[-1]["error"]

    play_with(scenario, Fake("a"))


def test_chunks_are_not_held_back() -> None:
    async def scenario(c: Caller, fakes: list[Fake]) -> None:
        loop = asyncio.get_running_loop()
        async with c.stream("POST", PATH, json=body(stream=True), headers={"x-api-key": KEY}) as response:
            times = [loop.time() async for _ in response.aiter_raw()]
        assert len(times) >= len(WORDS)
        assert times[-1] - times[0] > 0.05

    play_with(scenario, Fake("a", pause_s=0.01))


@pytest.mark.parametrize("stream", [False, True])
def test_a_disconnect_ends_the_work_of_the_backend(stream: bool) -> None:
    async def scenario(c: Caller, fakes: list[Fake]) -> None:
        asking = asyncio.create_task(c.ask(stream=stream, headers={"x-request-id": "r"}))
        await until(lambda: fakes[0].running)
        if stream:
            await until(lambda: fakes[0].sent > 2)
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        await until(lambda: not fakes[0].running)
        assert fakes[0].left == 1
        await until(lambda: not c.app_state.running)
        record = await audit(c, "r")
        assert (record["status"], record["outcome"]) == (499, "client_gone")
        assert (record["completion_tokens"] > 0) is stream

    play_with(scenario, Fake("a", pause_s=0.01 if stream else 5, words=["x "] * 500))


async def audit(c: Caller, request_id: str) -> dict[str, Any]:
    while True:
        found = (await c.get(f"/v1/audit/requests/{request_id}", headers={"x-api-key": KEY})).json()
        if found["status"] is not None:
            return dict(found)


@pytest.mark.parametrize("resets", [True, False], ids=["reset", "end without DONE"])
def test_a_backend_that_dies_in_the_middle(resets: bool) -> None:
    async def scenario(c: Caller, fakes: list[Fake]) -> None:
        fakes[0].dies_after, fakes[0].done = 3, resets
        response = await c.ask(stream=True, headers={"x-request-id": "r"})
        events = chunks(response.text)
        assert "[DONE]" not in events
        assert said(events) == "The capital of "
        assert events[-1]["error"]["code"] == "stream_interrupted"
        assert set(events[-1]["error"]) == {"message", "type", "param", "code"}
        assert "127.0.0.1" not in response.text
        assert fakes[1].calls == 0
        assert (await audit(c, "r"))["outcome"] == "interrupted"

    play_with(scenario, weights=[1, 0])


def test_a_silent_backend_is_not_waited_for() -> None:
    async def scenario(c: Caller, fakes: list[Fake]) -> None:
        async with asyncio.timeout(2):
            events = chunks((await c.ask(stream=True)).text)
        assert events[-1]["error"]["code"] == "stream_interrupted"
        await until(lambda: not fakes[0].running)

    play_with(scenario, Fake("a", pause_s=5), backend_timeout_s=0.1)


@pytest.mark.parametrize("more", [{}, {"max_tokens": 50}, {"stream_options": USAGE}], ids=str)
def test_another_backend_resumes_a_stream_on_request(more: dict[str, Any]) -> None:
    async def scenario(c: Caller, fakes: list[Fake]) -> None:
        fakes[0].dies_after = 3
        response = await c.ask(stream=True, x_migrate=True, **more)
        events = chunks(response.text)
        assert said(events) == "".join(WORDS)
        assert events.count("[DONE]") == 1
        assert {event["id"] for event in events[:-1]} == {"chatcmpl-a"}
        assert sum("role" in choice["delta"] for e in events[:-1] for choice in e["choices"]) == 1
        second = fakes[1].bodies[0]
        assert second["messages"][-1] == {"role": "assistant", "content": "The capital of"}
        assert second.get("max_tokens") == (47 if "max_tokens" in more else None)
        usage = [event["usage"] for event in events[:-1] if "usage" in event]
        assert bool(usage) is ("stream_options" in more)
        assert usage[-1:] in ([], [fakes[0].usage(7)])
        assert "router_migrations_total 1.0" in (await c.get("/metrics")).text

    play_with(scenario, weights=[1, 0])


@pytest.mark.parametrize(
    "more", [{"n": 2}, {"response_format": {"type": "json_object"}}, {"x_migrate": "yes"}, {"max_tokens": 3}], ids=str
)
def test_a_stream_that_cannot_be_resumed_ends_with_an_error(more: dict[str, Any]) -> None:
    async def scenario(c: Caller, fakes: list[Fake]) -> None:
        fakes[0].dies_after = 3
        events = chunks((await c.ask(**{"stream": True, "x_migrate": True, **more})).text)
        assert events[-1]["error"]["code"] == "stream_interrupted"
        assert fakes[1].calls == 0

    play_with(scenario, weights=[1, 0])


def test_a_continuation_may_fail_too() -> None:
    async def scenario(c: Caller, fakes: list[Fake]) -> None:
        fakes[0].dies_after, fakes[1].status, fakes[2].status = 3, 500, 400
        events = chunks((await c.ask(stream=True, x_migrate=True)).text)
        assert said(events) == "The capital of "
        assert events[-1]["error"]["code"] == "stream_interrupted"
        assert [fake.calls for fake in fakes] == [1, 1, 1]
        await until(lambda: not c.app_state.running)
        assert [backend.running for backend in c.app_state.pool.backends] == [0, 0, 0]

    play_with(scenario, Fake("a"), Fake("b"), Fake("c"), weights=[1, 0, 0])


def test_a_rejected_stream_is_a_json_error() -> None:
    async def scenario(c: Caller, fakes: list[Fake]) -> None:
        assert error(await c.ask(stream=True, model="nope"))["code"] == "model_not_found"
        fakes[0].status = 400
        response = await c.ask(stream=True)
        assert (response.status_code, json.loads(response.content)["error"]["code"]) == (400, 400)

    play_with(scenario, Fake("a"))
