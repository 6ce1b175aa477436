"""Streams: they join to the non-streamed response, arrive incrementally, and end with the client."""

import asyncio
from typing import Any

import pytest

from rollout_conformance.rollout_server.tests.inference.support import (
    CAPITAL,
    COUNT,
    FAR,
    PATH,
    TELL,
    TOOLS,
    TWO_SUMS,
    ask,
    body,
    client,
    joined,
    number,
    play,
    served,
    streamed,
    whole,
)

SMILE = [{"role": "user", "content": "?"}, {"role": "tool", "content": "naïve \N{SLIGHTLY SMILING FACE} 東京"}]


@pytest.mark.parametrize(
    ("messages", "more"),
    [
        (CAPITAL, {"logprobs": True, "top_logprobs": 2}),
        (TWO_SUMS, {"tools": TOOLS, "logprobs": True}),
        (TWO_SUMS, {"tools": TOOLS, "tool_choice": "required"}),
        (TWO_SUMS, {"tools": TOOLS, "max_tokens": 30}),
        (COUNT, {"stop": "5 6"}),
        (COUNT, {"max_tokens": 4}),
        (SMILE, {}),
        (TELL, {"n": 3, "temperature": 1, "seed": 7}),
    ],
    ids=["text", "calls", "required", "cut calls", "stop", "length", "characters", "choices"],
)
def test_a_stream_adds_up_to_the_body(messages: Any, more: dict[str, Any]) -> None:
    async def scenario() -> None:
        async with client() as c:
            answer = await ask(c, messages, **more)
            chunks = await streamed(c, messages, **more)
        for index in range(more.get("n", 1)):
            assert joined(chunks, index) == whole(answer, index)
        assert chunks[0]["prompt_token_ids"] == answer["prompt_token_ids"]
        assert len({(c["id"], c["model"], c["created"]) for c in chunks}) == 1
        assert not any("usage" in chunk for chunk in chunks)

    play(scenario)


def test_the_form_of_a_call_in_a_stream() -> None:
    async def scenario() -> None:
        async with client() as c:
            chunks = await streamed(
                c, TWO_SUMS, tools=TOOLS, return_token_ids=False, stream_options={"include_usage": True}
            )
        *chunks, usage = chunks
        deltas = [chunk["choices"][0]["delta"] for chunk in chunks]
        assert [delta.get("role") for delta in deltas] == ["assistant"] + [None] * (len(deltas) - 1)
        heads = [call for delta in deltas for call in delta.get("tool_calls", []) if "id" in call]
        assert [(head["index"], head["type"], head["function"]) for head in heads] == [
            (0, "function", {"name": "add"}),
            (1, "function", {"name": "multiply"}),
        ]
        assert (deltas[-1], chunks[-1]["choices"][0]["finish_reason"]) == ({}, "tool_calls")
        assert usage["choices"] == []
        assert usage["usage"]["completion_tokens"] > len(deltas)

    play(scenario)


def test_chunks_come_as_they_are_generated() -> None:
    async def scenario() -> None:
        async with (
            served(token_delay_s=0.01) as c,
            c.stream("POST", PATH, json=body(COUNT, stream=True)) as response,
        ):
            loop = asyncio.get_running_loop()
            times = [loop.time() async for _ in response.aiter_raw()]
        assert times[-1] - times[0] > 0.05

    play(scenario)


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "body"])
def test_a_disconnect_ends_the_generation(stream: bool) -> None:
    async def scenario() -> None:
        async with served(token_delay_s=0.002) as c:
            asking = asyncio.create_task(read_all(c, stream))
            while await number(c, "vllm:generation_tokens_total") < 10:
                await asyncio.sleep(0)
            assert await number(c, "vllm:num_requests_running") == 1
            asking.cancel()
            await asyncio.gather(asking, return_exceptions=True)
            while await number(c, "vllm:num_requests_running"):
                await asyncio.sleep(0)
            count = await number(c, "vllm:generation_tokens_total")
            await asyncio.sleep(0.05)
            assert await number(c, "vllm:generation_tokens_total") == count < 1000

    play(scenario)


async def read_all(c: Any, stream: bool) -> None:
    async with c.stream("POST", PATH, json=body(FAR, stream=stream)) as response:
        await response.aread()
