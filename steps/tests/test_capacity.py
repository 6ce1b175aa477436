"""How many rollouts a target runs at once, found out at servers that have some places, refuse the rest, or have no limit."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from rollout_conformance.steps.engine import http_client
from rollout_conformance.steps.peers import asgi_binding
from rollout_conformance.steps.peers.trainer import ScriptedTrainer
from rollout_conformance.steps.profiles.rollout import capacity
from rollout_conformance.steps.profiles.rollout.card import RolloutCard
from rollout_conformance.steps.profiles.rollout.context import CaseContext

PATIENCE_S = 60.0  # far more than is waited for


class Small:
    """A rollout server that asks for one generation a rollout, and has `places` for those in flight; `full` is its answer to more, None
    keeps them waiting. `silent`: it takes every start and asks for nothing."""

    def __init__(self, places: int, full: int | None = None, silent: bool = False) -> None:
        self.limiters, self.full, self.silent = asyncio.Semaphore(places), full, silent
        self.begun = self.most = self.answered = self.refused = 0

    def app(self) -> Starlette:
        return Starlette(routes=[Route("/rollout", self._start, methods=["POST"])])

    async def _start(self, request: Request) -> Response:
        body = await request.json()
        if self.silent:
            return JSONResponse({"status": "ERROR"})
        if self.full is not None and self.limiters.locked():
            self.refused += 1
            return JSONResponse({"detail": "full"}, self.full)
        async with self.limiters:
            self.begun += 1
            self.most = max(self.most, self.begun)
            await self._generated(body)
            self.begun -= 1
        self.answered += 1
        return JSONResponse({"rollout_id": body["rollout_id"], "status": "COMPLETED"})

    async def _generated(self, body: Any) -> None:
        asked = {"rollout_id": body["rollout_id"], "messages": body["messages"]}
        headers = {"authorization": f"Bearer {body['callback_api_key']}"}
        async with http_client.client() as client:
            await client.post(f"{body['server_url']}/v1/chat/completions", json=asked, headers=headers)


@contextlib.asynccontextmanager
async def listening(app: Starlette) -> AsyncIterator[str]:
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error", lifespan="off", timeout_graceful_shutdown=1))
    running = asyncio.ensure_future(server._serve())
    while not server.started:
        await asyncio.sleep(0)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    await running


def measured(server: Small, wanted: int) -> int | None:
    """What is found out about a server when so many rollouts are wanted."""

    async def whole() -> int | None:
        trainer = ScriptedTrainer()
        async with asgi_binding.serve(trainer) as trainer_url, listening(server.app()) as url:
            card = RolloutCard()
            context = CaseContext(trainer, trainer_url, "sync", card, card.limits(""), None, "00000000")
            return await capacity.measured(url, context, wanted, PATIENCE_S)

    return asyncio.run(whole())


@pytest.mark.parametrize("full", [None, 429, 503], ids=["they wait", "429", "503"])
def test_the_places_of_a_small_server_are_counted(full: int | None) -> None:
    server = Small(4, full)
    assert measured(server, 8) == 4
    assert server.most == 4
    assert (server.refused > 0) is (full is not None)


def test_the_places_are_free_again_afterwards() -> None:
    server = Small(4, 429)
    measured(server, 8)
    assert (server.begun, server.answered) == (0, 4)


@pytest.fixture
def _unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """However slow the machine is, none of them is held to wait for a place."""
    monkeypatch.setattr(capacity, "STILL_S", PATIENCE_S)


@pytest.mark.usefixtures("_unhurried")
@pytest.mark.parametrize("wanted", [1, 8])
def test_a_server_that_runs_all_that_are_wanted_has_no_limit(wanted: int) -> None:
    server = Small(100)
    assert measured(server, wanted) is None
    assert server.most == wanted


@pytest.mark.usefixtures("_unhurried")
def test_no_more_are_tried_than_a_run_ever_holds() -> None:
    server = Small(1000)
    assert measured(server, 500) is None
    assert server.most == capacity.MOST


def test_nothing_is_known_of_a_server_that_begins_none() -> None:
    assert measured(Small(4, silent=True), 8) is None
