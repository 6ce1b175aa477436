"""Non-streamed responses: content, tokens, and the effect of each member of a request."""

import json
from typing import Any

import pytest

from rollout_conformance.rollout_server.tests.inference.support import (
    CAPITAL,
    CHAT_TOKENS,
    COUNT,
    SUM,
    TELL,
    TOOLS,
    TWO_SUMS,
    ask,
    client,
    play,
    whole,
)


def test_a_text_and_all_its_tokens() -> None:
    async def scenario() -> None:
        async with client() as c:
            answer = await ask(c, CAPITAL, logprobs=True, top_logprobs=3)
        (choice,) = answer["choices"]
        assert (choice["message"]["content"], choice["finish_reason"]) == ("Paris", "stop")
        assert "tool_calls" not in choice["message"]
        assert answer["prompt_token_ids"] == CHAT_TOKENS.encode(CHAT_TOKENS.render(CAPITAL))
        assert CHAT_TOKENS.decode(choice["token_ids"]) == "Paris<|im_end|>"
        entries = choice["logprobs"]["content"]
        assert [entry["token"] for entry in entries] == [CHAT_TOKENS.decode([id]) for id in choice["token_ids"]]
        for entry in entries:
            top = entry["top_logprobs"]
            assert (top[0]["token"], top[0]["logprob"]) == (entry["token"], entry["logprob"])
            assert len({one["token"] for one in top}) == 3
            assert 0 > top[0]["logprob"] > top[1]["logprob"] > top[2]["logprob"]
        prompt, completion = len(answer["prompt_token_ids"]), len(choice["token_ids"])
        usage = {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}
        assert {name: answer["usage"][name] for name in usage} == usage

    play(scenario)


def test_a_rollout_continues_its_own_tokens() -> None:
    async def scenario() -> None:
        async with client() as c:
            first = await ask(c, TWO_SUMS, tools=TOOLS)
            message = first["choices"][0]["message"]
            calls = message["tool_calls"]
            results = [
                {"role": "tool", "tool_call_id": call["id"], "content": said}
                for call, said in zip(calls, "88", strict=True)
            ]
            second = await ask(c, [*TWO_SUMS, message, *results], tools=TOOLS)
        assert [call["function"]["name"] for call in calls] == ["add", "multiply"]
        assert calls[0]["function"]["arguments"] == '{"a": 5, "b": 3}'
        assert first["choices"][0]["finish_reason"] == "tool_calls"
        past = first["prompt_token_ids"] + first["choices"][0]["token_ids"]
        assert second["prompt_token_ids"][: len(past)] == past
        assert whole(second)["content"] == "The results are 8 and 8."

    play(scenario)


def test_arguments_and_reasoning_of_earlier_turns_are_unchanged() -> None:
    call = {"id": "call_1", "type": "function", "function": {"name": "add", "arguments": '{"a" :5,"b":  3}'}}
    past = {"role": "assistant", "content": "", "reasoning_content": "Easy.", "tool_calls": [call]}

    async def scenario() -> None:
        async with client() as c:
            answer = await ask(c, [*SUM, past, {"role": "tool", "content": "8"}], tools=TOOLS)
        seen = CHAT_TOKENS.decode(answer["prompt_token_ids"])
        assert '{"a" :5,"b":  3}' in seen
        assert "Easy." in seen

    play(scenario)


@pytest.mark.parametrize(
    ("choice", "content", "finish"),
    [
        ("none", "I can calculate, and nothing else.", "stop"),
        ("auto", "I'll calculate that for you.\n", "tool_calls"),
        ("required", "", "tool_calls"),
        ({"type": "function", "function": {"name": "multiply"}}, "", "stop"),
    ],
    ids=str,
)
def test_tool_choice(choice: Any, content: str, finish: str) -> None:
    async def scenario() -> None:
        async with client() as c:
            said = whole(await ask(c, SUM, tools=TOOLS, tool_choice=choice))
        assert (said["content"], said["finish"]) == (content, finish)
        assert len(said["calls"]) == (choice != "none")
        if isinstance(choice, dict):
            assert said["calls"] == [{"name": "multiply", "arguments": '{"a": 5, "b": 3}'}]

    play(scenario)


@pytest.mark.parametrize(
    ("more", "content", "finish", "reason"),
    [
        ({}, "1 2 3 4 5 6 7 8 9", "stop", None),
        ({"stop": " 4"}, "1 2 3", "stop", " 4"),
        ({"stop": ["7", "4 5"]}, "1 2 3 ", "stop", "4 5"),
        ({"stop": "10"}, "1 2 3 4 5 6 7 8 9", "stop", None),
        ({"max_tokens": 3}, "1 2", "length", None),
        ({"max_completion_tokens": 3, "max_tokens": 5}, "1 2", "length", None),
        ({"max_tokens": 6, "ignore_eos": True}, "1 2 3 ", "length", None),
    ],
    ids=str,
)
def test_where_it_ends(more: dict[str, Any], content: str, finish: str, reason: str | None) -> None:
    async def scenario() -> None:
        async with client() as c:
            answer = await ask(c, COUNT, **more)
        (choice,) = answer["choices"]
        assert (choice["message"]["content"], choice["finish_reason"], choice["stop_reason"]) == (
            content,
            finish,
            reason,
        )
        assert answer["usage"]["completion_tokens"] == len(choice["token_ids"])
        sampled = CHAT_TOKENS.decode(choice["token_ids"])
        assert sampled.startswith(content + (reason or ""))

    play(scenario)


def test_chance_and_the_seed() -> None:
    async def ids(c: Any, **more: Any) -> list[list[int]]:
        answer = await ask(c, TELL, **more)
        return [choice["token_ids"] for choice in answer["choices"]]

    async def scenario() -> None:
        async with client() as c:
            assert await ids(c) == await ids(c, seed=1)
            warm = {"temperature": 0.8}
            assert await ids(c, **warm, seed=1) == await ids(c, **warm, seed=1)
            assert await ids(c, **warm, seed=1) != await ids(c, **warm, seed=2)
            assert len({tuple(each) for _ in range(4) for each in await ids(c, **warm)}) > 1
            several = await ids(c, **warm, n=4)
            assert len({tuple(each) for each in several}) == 4

    play(scenario)


def test_weights_leave_a_turn_its_end() -> None:
    """Whatever token wins where the turn ends: one that `stop` ended has the end of the turn among its tokens."""
    (end,) = CHAT_TOKENS.encode(CHAT_TOKENS.end_of_turn)

    async def scenario() -> None:
        async with client() as c:
            for seed in range(40):
                answer = await ask(c, TELL, temperature=1.5, seed=seed, frequency_penalty=-2, max_tokens=256)
                (choice,) = answer["choices"]
                assert choice["finish_reason"] == "length" or choice["token_ids"][-1] == end

    play(scenario)


SCHEMA = {
    "type": "object",
    "properties": {"sum": {"$ref": "#/$defs/number"}, "kind": {"enum": ["a", "b"]}, "left": {"type": "string"}},
    "required": ["sum", "kind"],
    "$defs": {"number": {"type": "integer"}},
}


@pytest.mark.parametrize(
    ("form", "value"),
    [
        ({"type": "json_object"}, {"answer": "I can calculate, and nothing else."}),
        ({"type": "json_schema", "json_schema": {"name": "x", "schema": SCHEMA}}, {"sum": 5, "kind": "a"}),
    ],
    ids=["object", "schema"],
)
def test_json_on_demand(form: dict[str, Any], value: Any) -> None:
    async def scenario() -> None:
        async with client() as c:
            assert json.loads(whole(await ask(c, SUM, response_format=form))["content"]) == value

    play(scenario)


def test_tokenize_counts_as_chat_does() -> None:
    async def scenario() -> None:
        async with client(max_model_len=512) as c:
            answer = await ask(c, SUM, tools=TOOLS)
            context = (await c.post("/tokenize", json={"messages": SUM, "tools": TOOLS})).json()
            plain = (await c.post("/tokenize", json={"prompt": "Paris"})).json()
            models = (await c.get("/v1/models")).json()
        assert (context["tokens"], context["count"]) == (answer["prompt_token_ids"], answer["usage"]["prompt_tokens"])
        assert context["max_model_len"] == models["data"][0]["max_model_len"] == 512
        assert CHAT_TOKENS.decode(plain["tokens"]) == "Paris"

    play(scenario)
