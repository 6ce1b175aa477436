"""A reference worker behind a socket, and its streams as lists of events."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import httpx

from rollout_conformance.rollout_server.tests.router.support import listening
from rollout_conformance.rollout_server.tests.tls import WITHOUT_CERTIFICATES
from rollout_conformance.rollout_server.worker.app import create_app
from rollout_conformance.rollout_server.worker.settings import load

DEADLINE_S = 20.0
Play = Callable[[httpx.AsyncClient], Coroutine[Any, Any, None]]


@contextlib.asynccontextmanager
async def worker(**settings: Any) -> AsyncIterator[httpx.AsyncClient]:
    """A client of a worker with the stub, unless the settings say otherwise."""
    app = create_app(settings=load(**{"stub": True, "log_level": "off", "token_delay_s": 0.0, **settings}))
    async with (
        listening(app, lifespan="on") as url,
        httpx.AsyncClient(base_url=url, verify=WITHOUT_CERTIFICATES) as client,
    ):
        yield client


def play(what: Play, **settings: Any) -> None:
    """Runs what a test does with a worker."""

    async def playing() -> None:
        async with asyncio.timeout(DEADLINE_S), worker(**settings) as client:
            await what(client)

    asyncio.run(playing())


async def executed(client: httpx.AsyncClient, path: str = "/execute", **body: Any) -> list[Any]:
    """The data of all events: objects, or the text [DONE]."""
    response = await client.post(path, json=body)
    assert response.status_code == 200, response.text
    return data(response.text)


def data(text: str) -> list[Any]:
    lines = [line.removeprefix("data:").strip() for line in text.split("\n") if line.startswith("data:")]
    return [line if line == "[DONE]" else json.loads(line) for line in lines]


def job(**members: Any) -> dict[str, Any]:
    return {"job_id": "job-1", "prompt": "Hello", "max_tokens": 8, "temperature": 0, "seed": 1, **members}


async def next_event(lines: AsyncIterator[str]) -> Any:
    """The next event of a stream that is being read."""
    async for line in lines:
        if line.startswith("data:"):
            return json.loads(line.removeprefix("data:"))
    raise EOFError


async def until_idle(client: httpx.AsyncClient) -> None:
    """Waits until no job runs or waits."""
    while (health := (await client.get("/health")).json())["running"] or health["waiting"]:
        await asyncio.sleep(0)
