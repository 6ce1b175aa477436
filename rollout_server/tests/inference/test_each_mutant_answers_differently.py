"""Mutants are served by name, and each answers differently from the reference."""

import asyncio
import json
import re
import sys
from collections.abc import Iterator

import httpx
import pytest

from rollout_conformance.rollout_server.mutants import inference
from rollout_conformance.rollout_server.tests.inference.support import (
    CAPITAL,
    COUNT,
    FAR,
    PATH,
    SUM,
    TELL,
    TOOLS,
    body,
    client,
    number,
    play,
    served,
)

BY_CHANCE = ("one_default_seed",)  # whose answers the reference gives by chance
BY_TIME = ("abort_ignored", "slots_lost_on_disconnect", "stream_at_once")
BY_NAME = ("one_id", "stream_ages", "calls_share_an_id")  # they differ in what every answer has of its own
CALL = {"id": "call_1", "type": "function", "function": {"name": "add", "arguments": '{"a": 5, "b": 3}'}}
PAST = [*SUM, {"role": "assistant", "reasoning_content": "Hm.", "tool_calls": [CALL]}, {"role": "tool", "content": "8"}]
WARM = {"temperature": 1.0, "seed": 3}
SCHEMA = {"type": "object", "properties": {"count": {"type": "integer"}}, "required": ["count"]}
BOTH = [{"role": "user", "content": "Please calculate 5 plus 3 and 6 plus 7."}]
# What the reference answers alike every time; a mutant differs in at least one of these.
PROBES = [
    body(CAPITAL, logprobs=True, top_logprobs=3),
    body(CAPITAL, stream=True),
    body(COUNT, stop=" 4"),
    body(COUNT, max_tokens=3),
    body(COUNT, max_completion_tokens=3),
    body(TELL, **WARM, n=2),
    body(TELL),
    body(SUM, tools=TOOLS, stream=True),
    body(SUM, tools=TOOLS, tool_choice="none"),
    body(SUM, tools=TOOLS, tool_choice="required"),
    body(SUM, tools=TOOLS),
    body(PAST, tools=TOOLS),
    body(CAPITAL, model="nope"),
    body(CAPITAL, stream=True, stream_options={"include_usage": True}),
    body(CAPITAL, response_format={"type": "json_object"}),
    body([{"role": "user", "content": "Repeat after me: one"}]),
    body([{"role": "user", "content": [{"type": "text", "text": "Count from 1 to 5."}]}]),
    body([{"role": "user", "content": "Repeat after me: two"}]),
    body(FAR, max_tokens=4096),
    body(CAPITAL, seed=None),
    body(CAPITAL, max_tokens="12"),
    body(CAPITAL, response_format={"type": "json_schema", "json_schema": {"name": "n", "schema": SCHEMA}}),
    body(BOTH, tools=TOOLS, parallel_tool_calls=False),
    body(
        [
            {
                "role": "user",
                "content": [{"type": "text", "text": "Hello! "}, {"type": "text", "text": "Count from 1 to 5."}],
            }
        ]
    ),
    body([*SUM, {"role": "assistant", "content": "8"}, {"role": "system", "content": "Be kind."}, *SUM]),
    body([{"role": "oracle", "content": "In one word, can you provide me the capital of France?"}]),
]


def past(**assistant: object) -> list[object]:
    return [*SUM, {"role": "assistant", **assistant}, *SUM]


CLOCK = {"type": "function", "function": {"name": "current_time"}}
NOW = [{"role": "user", "content": "What is the current time?"}]
ROCKET = [*SUM, {"role": "assistant", "tool_calls": [CALL]}, {"role": "tool", "content": "\U0001f680"}]
PROBES += [
    body(past(content="")),
    body(past(content=None, tool_calls=[{**CALL, "function": {"name": "add", "arguments": '{"a": 5, "b"'}}])),
    body(COUNT, tools=TOOLS, stop=" 4"),
    body(SUM, tools=TOOLS, max_tokens=28, stream=True),
    body(SUM, tools=TOOLS, logprobs=True, stream=True),
    body(COUNT, logprobs=True, top_logprobs=2, stream=True),
    body(ROCKET, logprobs=True),
    body(NOW, tools=[CLOCK]),
    body(TELL, **WARM, stream=True, n=2),
    body(TELL, **WARM, top_p=0.001),
    body(past(content=[{"type": "text", "text": "The sum is 8."}])),
    body([*PAST[:-1], {"role": "tool", "content": [{"type": "text", "text": "8"}]}], tools=TOOLS, logprobs=True),
]
PROBES += [
    body(FAR, max_tokens=48, logprobs=True, presence_penalty=2),
    body(FAR, max_tokens=48, logprobs=True, frequency_penalty=2),
    body(CAPITAL, logit_bias={str(id): -100 for id in range(0, 2000, 2)}),
    body(CAPITAL, logit_bias={str(id): -100 for id in range(1, 2000, 2)}),
    body(COUNT, max_completion_tokens=2, max_tokens=5),
    body([{"role": "developer", "content": "Be brief."}, *CAPITAL]),
    body(BOTH, tools=TOOLS, stream=True),
    body(COUNT, tools=TOOLS, stop="4", stream=True),
    body(CAPITAL, logit_bias={str(10**7): 1}),
]
TWO_RESULTS = [
    *SUM,
    {"role": "assistant", "tool_calls": [{**CALL, "id": id} for id in ("call_a", "call_A")]},
    *({"role": "tool", "tool_call_id": id, "content": text} for id, text in (("call_a", "8"), ("call_A", "9"))),
]
PROBES += [
    body(TWO_RESULTS, tools=TOOLS),
    body([*SUM, {"role": "assistant", "tool_calls": [{**CALL, "id": "call_0123456789"}]}], tools=TOOLS),
    body([*PAST[:-1], {"role": "tool", "tool_call_id": "constructor", "content": "8"}], tools=TOOLS),
    body(SUM, tools=[{"type": "function", "function": {"name": "__proto__"}}]),
    body([{"role": "user", "content": "a" + "\N{ABACUS}" * 256}]),
]
PROBES += [
    body(SUM, tools=TOOLS, tool_choice="auto"),
    body([{"role": "user", "name": "anna", "content": "Count from 1 to 5."}]),
    body(FAR, max_tokens=4090),
]
KEYS = ("Bearer wrong", "Bearer righ")
MAY_BE_PATCHED = ("rollout_conformance.rollout_server.inference.", "rollout_conformance.rollout_server.common.")
CHANGING = re.compile(r'"created":\d+|chatcmpl-(tool-)?[0-9a-f]+')


@pytest.fixture
def restored() -> Iterator[None]:
    """Whatever a mutant patches is as it was afterwards."""
    modules = [module for name, module in sys.modules.items() if name.startswith(MAY_BE_PATCHED)]
    classes = {one for module in modules for one in vars(module).values() if isinstance(one, type)}
    owners = [*modules, *(one for one in classes if one.__module__.startswith(MAY_BE_PATCHED))]
    before = [(owner, dict(vars(owner))) for owner in owners]
    yield
    for owner, names in before:
        for name, value in names.items():
            if vars(owner).get(name) is not value:
                setattr(owner, name, value)


async def answers(c: httpx.AsyncClient) -> list[str]:
    replies = [await c.get("/v1/models"), *[await c.post(PATH, json=probe) for probe in PROBES]]
    async with client(key="right") as locked:
        replies += [await locked.post(PATH, json=PROBES[0], headers={"authorization": key}) for key in KEYS]
    return [reply.headers.get("content-type", "") + CHANGING.sub("", reply.text) for reply in replies]


def test_the_reference_is_deterministic() -> None:
    async def scenario() -> None:
        async with client() as c, client() as d:
            assert await answers(c) == await answers(d)

    play(scenario)


@pytest.mark.parametrize("name", [name for name in inference.ALL if name not in (*BY_TIME, *BY_NAME, *BY_CHANCE)])
def test_each_mutant_answers_differently(name: str, restored: None) -> None:
    async def scenario() -> None:
        async with client() as c:
            before = await answers(c)
            inference.ALL[name].patch()
            assert await answers(c) != before

    play(scenario)


def test_one_default_seed_repeats_itself(restored: None) -> None:
    async def samples(c: httpx.AsyncClient) -> set[str]:
        warm = [await c.post(PATH, json=body(TELL, temperature=1.0)) for _ in range(6)]
        return {reply.json()["choices"][0]["message"]["content"] for reply in warm}

    async def scenario() -> None:
        async with client() as c:
            assert len(await samples(c)) > 1
            inference.ALL["one_default_seed"].patch()
            assert len(await samples(c)) == 1

    play(scenario)


def test_abort_ignored_continues_after_a_disconnect(restored: None) -> None:
    async def scenario() -> None:
        inference.ALL["abort_ignored"].patch()
        async with served(token_delay_s=0.001) as c:
            with pytest.raises(httpx.ReadTimeout):
                await c.post(PATH, json=body(COUNT, ignore_eos=True, max_tokens=150), timeout=0.05)
            assert await number(c, "vllm:num_requests_running") == 1
            while await number(c, "vllm:num_requests_running"):
                await asyncio.sleep(0)
            assert await number(c, "vllm:generation_tokens_total") == 150

    play(scenario)


def test_slots_lost_on_disconnect_hangs_after_eight_of_them(restored: None) -> None:
    async def scenario() -> None:
        inference.ALL["slots_lost_on_disconnect"].patch()
        async with served(token_delay_s=0.01) as c:
            for _ in range(10):  # those that complete lose none
                assert (await c.post(PATH, json=body(COUNT, max_tokens=2))).status_code == 200
            for _ in range(8):
                async with c.stream("POST", PATH, json=body(COUNT, stream=True, ignore_eos=True)) as response:
                    await anext(response.aiter_raw())
            with pytest.raises(httpx.ReadTimeout):
                await c.post(PATH, json=body(COUNT, max_tokens=2), timeout=httpx.Timeout(60.0, read=2.0))

    play(scenario)


def test_one_id_repeats_the_id(restored: None) -> None:
    async def scenario() -> None:
        inference.ALL["one_id"].patch()
        async with client() as c:
            ids = [(await c.post(PATH, json=body(CAPITAL))).json()["id"] for _ in range(2)]
        assert ids[0] == ids[1]

    play(scenario)


def test_stream_ages_changes_created(restored: None) -> None:
    async def scenario() -> None:
        inference.ALL["stream_ages"].patch()
        async with client() as c:
            reply = await c.post(PATH, json=body(CAPITAL, stream=True))
        assert len(set(re.findall(r'"created":(\d+)', reply.text))) == 2

    play(scenario)


def test_stream_at_once_sends_all_events_at_the_end(restored: None) -> None:
    async def scenario() -> None:
        inference.ALL["stream_at_once"].patch()
        async with served(token_delay_s=0.005) as c, c.stream("POST", PATH, json=body(COUNT, stream=True)) as response:
            loop = asyncio.get_running_loop()
            times = [loop.time() async for _ in response.aiter_raw()]
        assert times[-1] - times[0] < 0.05

    play(scenario)


def test_an_unknown_name_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENGINE_MUTANT", "nobody")
    with pytest.raises(LookupError, match="names no mutant; there are "):
        inference.create_app()


def test_one_is_served_by_name(monkeypatch: pytest.MonkeyPatch, restored: None) -> None:
    monkeypatch.setenv("ENGINE_MUTANT", "unknown_model_200")

    async def scenario() -> None:
        transport = httpx.ASGITransport(inference.create_app())
        async with httpx.AsyncClient(transport=transport, base_url="http://engine.test") as c:
            assert (await c.post(PATH, json=body(CAPITAL, model="nope"))).status_code == 200

    play(scenario)


def test_each_describes_itself() -> None:
    described = [inference.CATALOGUE.describe(mutant) for mutant in inference.ALL.values()]
    assert json.dumps(described)
    assert all(one["requirement"].startswith("CHAT-") for one in described)
