"""A router and its backends, each behind a socket of its own.

`ROUTER_TEST_STATE` names a state store, such as postgresql+asyncpg://user@127.0.0.1/test, that the tests are to use instead of temporary
files. They empty it.
"""

import asyncio
import contextlib
import json
import os
import socket
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import httpx
import uvicorn
from sqlalchemy.ext.asyncio import create_async_engine

from rollout_conformance.rollout_server.router import tables
from rollout_conformance.rollout_server.router.app import create_app
from rollout_conformance.rollout_server.router.app_state import AppState
from rollout_conformance.rollout_server.router.settings import BackendSpec, KeySpec, Settings
from rollout_conformance.rollout_server.tests.rollout.support import DEADLINE_S
from rollout_conformance.rollout_server.tests.router.backend import Fake
from rollout_conformance.rollout_server.tests.tls import WITHOUT_CERTIFICATES

PATH = "/v1/chat/completions"
STATE = os.environ.get("ROUTER_TEST_STATE")
KEY, OTHER, ADMIN = "key-of-one", "key-of-another", "key-of-an-operator"
HI = [{"role": "user", "content": "What is the capital of France?"}]
KEYS = (
    {"key": KEY, "org": "one"},
    {"key": OTHER, "org": "another"},
    {"key": ADMIN, "org": "ops", "scopes": ["admin"]},
)


class Quick(uvicorn.Server):
    """Looks whether it should end more often than every 100 ms: here servers live for less than that."""

    async def main_loop(self) -> None:
        ticks = 0
        while not await self.on_tick(ticks):
            ticks = (ticks + 1) % 10_000
            await asyncio.sleep(0.005)


@contextlib.asynccontextmanager
async def listening(app: Any, lifespan: str = "off") -> AsyncIterator[str]:
    config = uvicorn.Config(app, log_level="critical", lifespan=lifespan, timeout_graceful_shutdown=1)  # type: ignore[arg-type]
    server = Quick(config)
    # The protocol is named, or asyncio leaves Nagle's algorithm on, and every answer waits 40 ms for an acknowledgement.
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(256)
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        while not server.started:
            await asyncio.sleep(0)
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            await serving
            await close_connections(server)


async def close_connections(server: uvicorn.Server) -> None:
    """Close what a defective application holds open: a server that ends does not wait for it."""
    for connection in [*server.server_state.connections]:
        connection.transport.abort()
    for task in [*server.server_state.tasks]:
        task.cancel()
    while server.server_state.connections:
        await asyncio.sleep(0)
    await asyncio.gather(*server.server_state.tasks, return_exceptions=True)


@contextlib.asynccontextmanager
async def backends(*fakes: Fake) -> AsyncIterator[list[Fake]]:
    async with contextlib.AsyncExitStack() as stack:
        for fake in fakes:
            fake.url = await stack.enter_async_context(listening(fake.app()))
        yield list(fakes)


def configured(fakes: list[Fake], **settings: Any) -> Settings:
    weights = settings.pop("weights", [1] * len(fakes))
    own = settings.pop("backend_keys", [None] * len(fakes))
    specs = [
        BackendSpec(name=fake.name, url=fake.url, weight=weight, key=key)
        for fake, weight, key in zip(fakes, weights, own, strict=True)
    ]
    keys = [KeySpec(**{"org": "one", **key}) for key in settings.pop("keys", KEYS)]
    given = {"log_level": "off", "health_interval_s": 0, "affinity": False, "state": STATE, **settings}
    return Settings(backends=tuple(specs), keys=tuple(keys), **given)


class Caller(httpx.AsyncClient):
    """A client of the router, with the router's inside beside it."""

    app_state: AppState

    async def ask(self, **more: Any) -> httpx.Response:
        headers = {"x-api-key": more.pop("key", KEY), **more.pop("headers", {})}
        return await self.post(PATH, json=body(**more), headers=headers)

    async def admin(self, method: str, path: str, **more: Any) -> httpx.Response:
        return await self.request(method, f"/v1/admin{path}", headers={"x-api-key": ADMIN}, **more)


@contextlib.asynccontextmanager
async def routed(fakes: list[Fake], **settings: Any) -> AsyncIterator[Caller]:
    app = create_app(settings=configured(fakes, **settings))
    async with (
        listening(app, lifespan="on") as url,
        Caller(base_url=url, verify=WITHOUT_CERTIFICATES, trust_env=False, timeout=DEADLINE_S) as caller,
    ):
        caller.app_state = app.state.app_state
        yield caller


def body(**more: Any) -> dict[str, Any]:
    return {"model": "toy", "messages": HI, **more}


def chunks(text: str) -> list[Any]:
    events = [line.removeprefix("data: ") for line in text.splitlines() if line.startswith("data: ")]
    return [event if event == "[DONE]" else json.loads(event) for event in events]


def said(events: list[Any]) -> str:
    parts = [choice for event in events if isinstance(event, dict) for choice in event.get("choices", [])]
    return "".join(part["delta"].get("content") or "" for part in parts)


def error(response: httpx.Response) -> dict[str, Any]:
    """The envelope, which every error has."""
    assert response.headers["content-type"] == "application/json"
    value = response.json()
    assert set(value) == {"error"}
    assert set(value["error"]) == {"message", "type", "param", "code", "request_id"}
    assert value["error"]["request_id"] == response.headers["x-request-id"]
    return dict(value["error"])


async def empty_state() -> None:
    if STATE:
        engine = create_async_engine(STATE)
        async with engine.begin() as connection:
            await connection.run_sync(tables.metadata.drop_all)
        await engine.dispose()


async def until(condition: Callable[[], Any]) -> None:
    while not condition():
        await asyncio.sleep(0.001)


def play(scenario: Callable[[], Coroutine[Any, Any, None]]) -> None:
    async def whole_of_it() -> None:
        async with asyncio.timeout(DEADLINE_S):
            await empty_state()
            await scenario()

    asyncio.run(whole_of_it())


def play_with(
    scenario: Callable[[Caller, list[Fake]], Coroutine[Any, Any, None]], *fakes: Fake, **settings: Any
) -> None:
    """The scenario against a router in front of these fakes, or of two."""

    async def whole_of_it() -> None:
        async with backends(*(fakes or (Fake("a"), Fake("b")))) as running, routed(running, **settings) as caller:
            await scenario(caller, running)

    play(whole_of_it)
