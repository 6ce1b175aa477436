"""Real clients: the official OpenAI client, curl, and the router as a process."""

import asyncio
import json
import os
import shutil
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import openai
import pytest

from rollout_conformance.rollout_server.tests.router.backend import WORDS, Fake
from rollout_conformance.rollout_server.tests.router.support import (
    KEY,
    PATH,
    Caller,
    backends,
    body,
    chunks,
    play,
    play_with,
    routed,
    said,
    until,
)
from rollout_conformance.rollout_server.tests.tls import WITHOUT_CERTIFICATES

MESSAGES: Any = [{"role": "user", "content": "What is the capital of France?"}]
TOOL: Any = {"type": "function", "function": {"name": "add", "parameters": {"type": "object", "properties": {}}}}
CALL = {"id": "call_1", "type": "function", "function": {"name": "add", "arguments": '{"a": 0}'}}
CALLS = {
    "id": "x",
    "object": "chat.completion",
    "created": 1,
    "model": "toy",
    "choices": [
        {
            "index": 0,
            "message": {"role": "assistant", "content": None, "tool_calls": [CALL]},
            "finish_reason": "tool_calls",
        }
    ],
    "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
}


def official(c: Caller, key: str = KEY) -> openai.AsyncOpenAI:
    return openai.AsyncOpenAI(api_key=key, base_url=f"{c.base_url}/v1", max_retries=0)


def test_the_openai_client() -> None:
    async def scenario(c: Caller, fakes: list[Fake]) -> None:
        async with official(c) as client:
            answer = await client.chat.completions.create(model="toy", messages=MESSAGES, temperature=0)
            assert answer.choices[0].message.content == "".join(WORDS)
            assert answer.usage
            assert answer.usage.total_tokens == 12
            assert [model.id async for model in client.models.list()] == ["toy"]
            text = await client.completions.create(model="toy", prompt="Hm?")
            assert text.choices[0].text == "".join(WORDS)
        assert fakes[0].bodies[0] == {"model": "toy", "messages": MESSAGES, "temperature": 0}

    play_with(scenario, Fake("a"))


@pytest.mark.parametrize("usage", [False, True])
def test_the_openai_client_streams(usage: bool) -> None:
    async def scenario(c: Caller, fakes: list[Fake]) -> None:
        async with official(c) as client:
            more: Any = {"stream_options": {"include_usage": True}} if usage else {}
            stream = await client.chat.completions.create(model="toy", messages=MESSAGES, stream=True, **more)
            events = [event async for event in stream]
        assert "".join(event.choices[0].delta.content or "" for event in events if event.choices) == "".join(WORDS)
        assert [event.usage.total_tokens for event in events if event.usage] == ([12] if usage else [])

    play_with(scenario, Fake("a"))


def test_the_openai_client_raises_for_an_interrupted_stream() -> None:
    async def scenario(c: Caller, fakes: list[Fake]) -> None:
        fakes[0].dies_after = 2
        async with official(c) as client:
            stream = await client.chat.completions.create(model="toy", messages=MESSAGES, stream=True)
            with pytest.raises(openai.APIError, match="failed before the end"):
                _ = [event async for event in stream]

    play_with(scenario, Fake("a"))


def test_the_openai_client_calls_tools() -> None:
    async def scenario(c: Caller, fakes: list[Fake]) -> None:
        fakes[0].answer = json.dumps(CALLS).encode()
        async with official(c) as client:
            answer = await client.chat.completions.create(
                model="toy", messages=MESSAGES, tools=[TOOL], tool_choice="required"
            )
        calls = answer.choices[0].message.tool_calls or []
        assert [call.model_dump(exclude_none=True) for call in calls] == [CALL]
        assert (fakes[0].bodies[0]["tools"], fakes[0].bodies[0]["tool_choice"]) == ([TOOL], "required")

    play_with(scenario, Fake("a"))


def test_the_openai_client_without_async() -> None:
    async def scenario(c: Caller, fakes: list[Fake]) -> None:
        def ask() -> str | None:
            with openai.OpenAI(api_key=KEY, base_url=f"{c.base_url}/v1") as client:
                return client.chat.completions.create(model="toy", messages=MESSAGES).choices[0].message.content

        assert await asyncio.to_thread(ask) == "".join(WORDS)

    play_with(scenario, Fake("a"))


@pytest.mark.parametrize(
    ("key", "model", "limit", "refusal"),
    [
        ("nobody", "toy", 9, openai.AuthenticationError),
        (KEY, "nope", 9, openai.NotFoundError),
        (KEY, "toy", 0, openai.RateLimitError),
    ],
)
def test_the_openai_client_knows_the_refusals(key: str, model: str, limit: int, refusal: type[Exception]) -> None:
    async def scenario(c: Caller, fakes: list[Fake]) -> None:
        async with official(c, key) as client:
            if not limit:
                await client.chat.completions.create(model=model, messages=MESSAGES)
            with pytest.raises(refusal):
                await client.chat.completions.create(model=model, messages=MESSAGES)

    play_with(scenario, Fake("a"), keys=({"key": KEY, "rps": 0.01, "burst": max(1, limit)},))


@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl here")
def test_curl() -> None:
    async def scenario(c: Caller, fakes: list[Fake]) -> None:
        asked = json.dumps(body(stream=True))
        header = f"Authorization: Bearer {KEY}"
        command = ["curl", "-sN", "--noproxy", "*", "-H", header, "-d", asked, f"{c.base_url}{PATH}"]
        curl = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
        text, _ = await curl.communicate()
        assert said(chunks(text.decode())) == "".join(WORDS)

    play_with(scenario, Fake("a"))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@asynccontextmanager
async def process(*arguments: str, url: str, **environment: str) -> AsyncIterator[asyncio.subprocess.Process]:
    started = await asyncio.create_subprocess_exec(
        sys.executable, "-m", *arguments, env={**os.environ, **environment}, stderr=asyncio.subprocess.PIPE
    )
    try:
        async with httpx.AsyncClient(trust_env=False) as probe:
            while True:
                try:
                    await probe.get(f"{url}/health")
                    break
                except httpx.TransportError:
                    await asyncio.sleep(0.02)
        yield started
    finally:
        if started.returncode is None:
            started.kill()
        await started.communicate()


def test_a_backend_is_killed_in_the_middle() -> None:
    async def scenario() -> None:
        port = free_port()
        mortal = Fake("b", url=f"http://127.0.0.1:{port}")
        arguments = ("rollout_conformance.rollout_server.tests.router.backend", str(port), "b")
        async with process(*arguments, url=mortal.url) as killed:
            await play_against(mortal, killed)

    async def play_against(mortal: Fake, killed: asyncio.subprocess.Process) -> None:
        async with backends(Fake("a")) as (other,), routed([mortal, other], weights=[1, 0]) as c:
            text = ""
            async with c.stream("POST", PATH, json=body(stream=True), headers={"x-api-key": KEY}) as response:
                async for part in response.aiter_text():
                    text += part
                    if text.count("data: ") == 5:
                        killed.kill()
            events = chunks(text)
            assert events[-1]["error"]["code"] == "stream_interrupted"
            assert "[DONE]" not in events
            after = await c.ask()
            assert (after.headers["x-routing-backend"], after.headers["x-routing-decision"]) == ("a", "FAILOVER")

    play(scenario)


def test_the_router_process_finishes_running_requests() -> None:
    async def scenario() -> None:
        async with backends(Fake("a", pause_s=0.05)) as (fake,):
            port = free_port()
            url = f"http://127.0.0.1:{port}"
            given = {
                "ROUTER_BACKENDS": json.dumps([{"name": "a", "url": fake.url}]),
                "ROUTER_KEYS": json.dumps([{"key": KEY, "org": "one", "scopes": ["inference"]}]),
            }
            async with (
                process("rollout_conformance.rollout_server.router", "--port", str(port), url=url, **given) as router,
                Caller(base_url=url, verify=WITHOUT_CERTIFICATES, trust_env=False) as c,
            ):
                asking = asyncio.create_task(c.ask(stream=True))
                await until(lambda: fake.running)
                router.send_signal(signal.SIGTERM)
                events = chunks((await asking).text)
                assert (said(events), events[-1]) == ("".join(WORDS), "[DONE]")
                with pytest.raises(httpx.TransportError):
                    await c.ask()
                assert router.stderr
                log = (await router.stderr.read()).decode()
                assert await router.wait() in (0, -signal.SIGTERM)
        lines = [json.loads(line) for line in log.splitlines()]
        assert [line["event"] for line in lines] == ["request"]
        assert KEY not in log
        assert "France" not in log

    play(scenario)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ROUTER_BACKENDS", "{"),
        ("ROUTER_BACKENDS", '[{"name": "a", "url": "x"}]'),
        ("ROUTER_BACKENDS", '[{"name": "a", "url": "http://x"}, {"name": "a", "url": "http://x"}]'),
        ("ROUTER_KEYS", '[{"key": "very-secret", "org": ""}]'),
        ("ROUTER_STATE", "nonsense very-secret"),
        ("ROUTER_STATE", "oracle+nothing://very-secret@x/y"),
    ],
)
def test_settings_that_cannot_be_used(name: str, value: str) -> None:
    async def scenario() -> None:
        started = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "rollout_conformance.rollout_server.router",
            env={**os.environ, name: value},
            stderr=asyncio.subprocess.PIPE,
        )
        _, said = await started.communicate()
        assert started.returncode == 2
        assert said.startswith(b"router: ROUTER_")
        assert b"very-secret" not in said

    play(scenario)
