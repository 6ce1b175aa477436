"""Limits of concurrency, size and time."""

import asyncio
from typing import Any

import httpx
import pytest

from rollout_conformance.rollout_server.tests.rollout.support import (
    Caller,
    Trainer,
    call,
    hang,
    init,
    reply,
    serve,
    sync_start,
)


class Gate(Trainer):
    """A trainer that answers when it is told to, and knows how many wait for it."""

    def __init__(self) -> None:
        super().__init__([self.held])
        self.open = asyncio.Event()
        self.inside = 0
        self.most = 0
        self.arrived = asyncio.Event()

    async def held(self, request: httpx.Request) -> httpx.Response:
        self.inside += 1
        self.most = max(self.most, self.inside)
        self.arrived.set()
        await self.open.wait()
        self.inside -= 1
        return httpx.Response(200, json=reply(prompt_token_ids=[1]))


def test_so_many_run_and_the_others_wait_for_their_turn() -> None:
    async def scenario() -> None:
        trainer = Gate()
        caller = serve(trainer, max_concurrent=2)
        waiting = [asyncio.ensure_future(caller.sync(rollout_id=str(n))) for n in range(6)]
        await trainer.arrived.wait()
        assert (await caller.get("/health")).json()["active_rollouts"] > 0
        trainer.open.set()
        results = await asyncio.gather(*waiting)
        assert trainer.most == 2
        assert {r["status"] for r in results} == {"COMPLETED"}
        assert [asked["rollout_id"] for asked in trainer.asked] == [str(n) for n in range(6)]
        assert (await caller.get("/health")).json()["active_rollouts"] == 0

    asyncio.run(scenario())


@pytest.mark.parametrize(("path", "body"), [("/rollout", sync_start), ("/v1/rollout/init", init)])
def test_a_full_queue_is_answered_with_retry_after(path: str, body: Any) -> None:
    async def scenario() -> httpx.Response:
        trainer = Gate()
        caller = serve(trainer, max_concurrent=1, max_queued=1)
        for number in range(2):
            assert (await caller.post("/v1/rollout/init", init(rollout_id=str(number)))).status_code == 202
        refused = await caller.post(path, body(rollout_id="late"))
        trainer.open.set()
        await asyncio.gather(*caller.app.state.service.reports)
        assert len(trainer.asked) == 2
        return refused

    refused = asyncio.run(scenario())
    assert refused.status_code == 429
    assert refused.headers["retry-after"] == "1"


def test_time_in_the_queue_is_not_the_rollouts_time() -> None:
    async def scenario() -> list[str]:
        trainer = Trainer([hang, reply()])
        caller = serve(trainer, max_concurrent=1, timeout_s=0.05)
        results = await asyncio.gather(caller.sync(rollout_id="slow"), caller.sync(rollout_id="queued"))
        return [r["status"] for r in results]

    assert asyncio.run(scenario()) == ["ERROR", "COMPLETED"]


@pytest.mark.parametrize("dialect", ["sync", "callback"])
def test_a_rollout_out_of_time_tells_how_far_it_came(dialect: str) -> None:
    trainer = Trainer([reply("", call()), hang])
    caller = serve(trainer, timeout_s=0.05)
    result = asyncio.run(caller.sync() if dialect == "sync" else caller.callback(trainer))
    assert result["error_message"] == "Rollout timeout exceeded (0.05 s)"
    assert result["extra_fields"]["error_category"] == "timeout"
    assert result["metrics"]["num_llm_calls"] == 1
    assert [m["role"] for m in result["final_messages"]] == ["user", "assistant", "tool"]
    assert len(trainer.asked) == 2


def test_a_disconnect_ends_the_rollout() -> None:
    async def scenario() -> Caller:
        trainer = Gate()
        caller = serve(trainer)
        leave = asyncio.Event()
        asking = asyncio.ensure_future(caller.post("/rollout", sync_start(), leave=leave))
        await trainer.arrived.wait()
        leave.set()
        await asking
        await asyncio.sleep(0)
        return caller

    service = asyncio.run(scenario()).app.state.service
    assert (service.active, service.slots.admitted, service.slots.running) == (0, 0, 0)


BODIES = [(b" " * 1000, [], 400), (b" " * 1001, [], 413), (b"{}", [(b"content-length", b"1001")], 413)]


@pytest.mark.parametrize(("body", "headers", "status"), BODIES)
def test_body_size(body: bytes, headers: list[tuple[bytes, bytes]], status: int) -> None:
    response = asyncio.run(serve(Trainer(), max_body_bytes=1000).post("/rollout", body, headers=headers))
    assert response.status_code == status
    assert response.headers["content-type"] == "application/json"


@pytest.mark.parametrize(("text", "status"), [("é" * 45, 202), ("é" * 45 + "x", 422)])
def test_metadata_size_is_in_bytes_and_exact(text: str, status: int) -> None:
    trainer = Trainer()
    caller = serve(trainer, max_metadata_bytes=len('{"k":""}') + 90)
    assert asyncio.run(caller.post("/v1/rollout/init", init(metadata={"k": text}))).status_code == status
