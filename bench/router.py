"""Prints the router table of the README: `python bench/router.py`. Every figure is of one run on one machine.

A backend of fixed latency, asked directly, through a bare reverse proxy in Python (Starlette and aiohttp, which decides nothing), through
the reference router, and through litellm's proxy where it is installed beside us (LITELLM=/path/to/litellm).
"""

import asyncio
import contextlib
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp

from rollout_conformance.steps.engine import targets

LATENCY_S = 0.005
REQUESTS = {1: 300, 32: 2000}
BODY = {"model": "m", "messages": [{"role": "user", "content": "Hello!"}], "max_tokens": 16}
HERE = Path(__file__).resolve()
KEY = "sk-bench"


def backend() -> Any:
    """An engine that takes LATENCY_S for everything, ten chunks for a stream."""
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import JSONResponse, Response, StreamingResponse
    from starlette.routing import Route

    message = {"index": 0, "message": {"role": "assistant", "content": "Hello there."}, "finish_reason": "stop"}
    usage = {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}
    reply = {"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [message], "usage": usage}
    piece = {
        "id": "c",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "m",
        "choices": [{"index": 0, "delta": {"content": "x"}}],
    }

    async def stream() -> AsyncIterator[bytes]:
        for _ in range(10):
            yield b"data: " + json.dumps(piece).encode() + b"\n\n"
        yield b"data: [DONE]\n\n"

    async def chat(request: Request) -> Response:
        asked = json.loads(await request.body())
        await asyncio.sleep(LATENCY_S)
        return (
            StreamingResponse(stream(), media_type="text/event-stream") if asked.get("stream") else JSONResponse(reply)
        )

    async def models(request: Request) -> Response:
        return JSONResponse({"object": "list", "data": [{"id": "m", "object": "model"}]})

    async def health(request: Request) -> Response:
        return Response()

    return Starlette(
        routes=[
            Route("/v1/chat/completions", chat, methods=["POST"]),
            Route("/v1/models", models),
            Route("/health", health),
        ]
    )


def proxy() -> Any:
    """The bare reverse proxy: bytes in, bytes out."""
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response, StreamingResponse
    from starlette.routing import Route

    upstream = os.environ["UPSTREAM"]
    client: list[aiohttp.ClientSession] = []

    async def chat(request: Request) -> Response:
        if not client:
            client.append(aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)))
        reply = await client[0].post(
            f"{upstream}{request.url.path}", data=await request.body(), headers={"content-type": "application/json"}
        )
        return StreamingResponse(reply.content.iter_any(), reply.status, media_type=reply.headers.get("content-type"))

    async def health(request: Request) -> Response:
        return Response()

    return Starlette(routes=[Route("/v1/chat/completions", chat, methods=["POST"]), Route("/health", health)])


async def measured(url: str, at_once: int, stream: bool) -> tuple[float, float, float]:
    """(median ms, p99 ms, requests a second)"""
    times: list[float] = []
    left = iter(range(REQUESTS[at_once]))
    headers = {"authorization": f"Bearer {KEY}"}
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as client:

        async def worker() -> None:
            for _ in left:
                began = time.perf_counter()
                async with client.post(
                    f"{url}/v1/chat/completions", json={**BODY, "stream": stream}, headers=headers
                ) as reply:
                    await reply.read()
                    assert reply.status == 200, await reply.text()
                times.append(time.perf_counter() - began)

        for _ in range(20):
            async with client.post(
                f"{url}/v1/chat/completions", json={**BODY, "stream": stream}, headers=headers
            ) as reply:
                await reply.read()
        began = time.perf_counter()
        await asyncio.gather(*(worker() for _ in range(at_once)))
        took = time.perf_counter() - began
    ordered = sorted(times)
    return statistics.median(ordered) * 1e3, ordered[int(len(ordered) * 0.99)] * 1e3, len(times) / took


@contextlib.asynccontextmanager
async def litellm(upstream: str) -> AsyncIterator[str | None]:
    command = os.environ.get("LITELLM")
    if not command:
        yield None
        return
    config = {
        "model_list": [
            {"model_name": "m", "litellm_params": {"model": "openai/m", "api_base": f"{upstream}/v1", "api_key": "x"}}
        ],
        "general_settings": {"master_key": KEY},
    }
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        json.dump(config, file)
        file.flush()
        async with targets.running(
            f"cmd:{command} --config {file.name} --host 127.0.0.1 --port {{port}}", ready_s=120
        ) as target:
            yield target.base_url


async def main() -> None:
    here = f"cmd:{sys.executable} {HERE}"
    keys = json.dumps([{"key": KEY, "org": "bench", "scopes": ["inference"]}])
    async with targets.running(f"{here} backend {{port}}") as engine:
        routed = {"ROUTER_BACKENDS": json.dumps([{"name": "a", "url": engine.base_url}]), "ROUTER_KEYS": keys}
        async with (
            targets.running(f"{here} proxy {{port}}", {"UPSTREAM": engine.base_url}) as bare,
            targets.running(
                f"cmd:{sys.executable} -m rollout_conformance.rollout_server.router --port {{port}}", routed
            ) as router,
            litellm(engine.base_url) as other,
        ):
            places = {
                "the backend itself": engine.base_url,
                "a bare proxy": bare.base_url,
                "our router": router.base_url,
                "litellm": other,
            }
            print("| through | at once | stream | median | p99 | requests a second |")
            print("| --- | --- | --- | --- | --- | --- |")
            for at_once in REQUESTS:
                for stream in (False, True):
                    for name, url in places.items():
                        if url is not None:
                            median, late, rate = await measured(url, at_once, stream)
                            told = "yes" if stream else "no"
                            print(
                                f"| {name} | {at_once} | {told} | {median:.1f} ms | {late:.1f} ms | {rate:.0f} |",
                                flush=True,
                            )


if __name__ == "__main__":
    if len(sys.argv) == 3:
        import uvicorn

        uvicorn.run(
            {"backend": backend, "proxy": proxy}[sys.argv[1]](),
            port=int(sys.argv[2]),
            log_level="error",
            access_log=False,
        )
    else:
        asyncio.run(main())
