"""An engine in this process: over ASGI where the answer is all that matters, over a socket where its timing does."""

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import httpx
import uvicorn

from rollout_conformance.rollout_server.common import chat_tokenizer
from rollout_conformance.rollout_server.common.settings import SHIPPED_TOKENIZER
from rollout_conformance.rollout_server.inference.app import create_app
from rollout_conformance.rollout_server.inference.settings import Settings
from rollout_conformance.rollout_server.tests.rollout.support import DEADLINE_S
from rollout_conformance.rollout_server.tests.tls import WITHOUT_CERTIFICATES

CHAT_TOKENS = chat_tokenizer.load(SHIPPED_TOKENIZER, "TOKENIZER")
PATH = "/v1/chat/completions"
SUM = [{"role": "user", "content": "Please calculate 5 plus 3."}]
TWO_SUMS = [{"role": "user", "content": "Please calculate 5 plus 3 and 2 times 4."}]
CAPITAL = [{"role": "user", "content": "What is the capital of France?"}]
COUNT = [{"role": "user", "content": "Count from 1 to 9."}]
FAR = [{"role": "user", "content": "Count from 1 to 900."}]
TELL = [{"role": "user", "content": "Tell me about your garden."}]


def tool(name: str) -> dict[str, Any]:
    numbers = {"a": {"type": "number"}, "b": {"type": "number"}}
    parameters = {"type": "object", "properties": numbers, "required": ["a", "b"]}
    return {"type": "function", "function": {"name": name, "parameters": parameters}}


TOOLS = [tool("add"), tool("subtract"), tool("multiply"), tool("divide")]


def client(**settings: Any) -> httpx.AsyncClient:
    app = create_app(settings=Settings(**({"token_delay_s": 0} | settings)))
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://engine.test")


@contextlib.asynccontextmanager
async def served(**settings: Any) -> AsyncIterator[httpx.AsyncClient]:
    """The engine behind a socket."""
    app = create_app(settings=Settings(**settings))
    server = uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="off", timeout_graceful_shutdown=1))
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            url = f"http://127.0.0.1:{listener.getsockname()[1]}"
            async with httpx.AsyncClient(
                base_url=url, verify=WITHOUT_CERTIFICATES, trust_env=False, timeout=DEADLINE_S
            ) as caller:
                yield caller
        finally:
            server.should_exit = True
            await serving


def body(messages: Any, **more: Any) -> dict[str, Any]:
    return {"model": "toy", "messages": messages, "temperature": 0, "return_token_ids": True, **more}


async def ask(caller: httpx.AsyncClient, messages: Any, **more: Any) -> dict[str, Any]:
    response = await caller.post(PATH, json=body(messages, **more))
    assert response.status_code == 200, response.text
    return dict(response.json())


async def streamed(caller: httpx.AsyncClient, messages: Any, **more: Any) -> list[dict[str, Any]]:
    """The chunks before [DONE]."""
    response = await caller.post(PATH, json=body(messages, stream=True, **more))
    assert response.headers["content-type"] == "text/event-stream; charset=utf-8"
    *events, done, rest = response.text.split("\n\n")
    assert (done, rest) == ("data: [DONE]", "")
    return [json.loads(event.removeprefix("data: ")) for event in events]


def joined(chunks: list[dict[str, Any]], index: int = 0) -> dict[str, Any]:
    """One choice of a stream, put together again as the answer in one body would have it."""
    content, finish = "", None
    ids: list[int] = []
    entries: list[Any] = []
    made: list[dict[str, Any]] = []
    for part in (part for chunk in chunks for part in chunk["choices"] if part["index"] == index):
        content += part["delta"].get("content", "")
        for call in part["delta"].get("tool_calls", []):
            if "id" in call:
                made.append({"name": call["function"]["name"], "arguments": ""})
            made[call["index"]]["arguments"] += call["function"].get("arguments", "")
        ids += part["token_ids"] or []
        entries += (part["logprobs"] or {}).get("content", [])
        finish = finish or part["finish_reason"]
    return {"content": content, "calls": made, "ids": ids, "logprobs": entries, "finish": finish}


def whole(answer: dict[str, Any], index: int = 0) -> dict[str, Any]:
    """The same of an answer in one body."""
    choice = answer["choices"][index]
    return {
        "content": choice["message"]["content"] or "",
        "calls": [call["function"] for call in choice["message"].get("tool_calls", [])],
        "ids": choice["token_ids"],
        "logprobs": (choice["logprobs"] or {}).get("content", []),
        "finish": choice["finish_reason"],
    }


async def number(caller: httpx.AsyncClient, name: str) -> float:
    text = (await caller.get("/metrics")).text
    return float(next(line for line in text.splitlines() if line.startswith(name)).rpartition(" ")[2])


def play(scenario: Callable[[], Coroutine[Any, Any, None]]) -> None:
    async def whole_of_it() -> None:
        async with asyncio.timeout(DEADLINE_S):
            await scenario()

    asyncio.run(whole_of_it())
