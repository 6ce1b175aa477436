"""At shutdown every rollout gets a result."""

import asyncio
import os
import signal

import pytest

from rollout_conformance.rollout_server.common import shutdown
from rollout_conformance.rollout_server.tests.rollout.support import Trainer, hang, init, reply, serve, sync_start


@pytest.mark.parametrize("dialect", ["sync", "callback"])
def test_unfinished_rollouts_are_ended_with_a_result(dialect: str) -> None:
    async def scenario() -> None:
        trainer = Trainer([hang])
        caller = serve(trainer, max_concurrent=1)
        service = caller.app.state.service
        if dialect == "sync":
            asking = [asyncio.ensure_future(caller.sync(rollout_id=str(n))) for n in range(2)]
            while service.active < 2:
                await asyncio.sleep(0)
        else:
            asking = []
            for n in range(2):
                assert (await caller.post("/v1/rollout/init", init(rollout_id=str(n)))).status_code == 202
        await service.stop()
        results = [await a for a in asking] if dialect == "sync" else trainer.results
        assert sorted(r["rollout_id"] for r in results) == ["0", "1"]
        for result in results:
            assert result["status"] == "ERROR"
            assert result["extra_fields"]["error_category"] == "shutdown"
        assert not service.tasks()

    asyncio.run(scenario())


def test_a_rollout_that_ends_in_time_is_not_cancelled() -> None:
    async def scenario() -> None:
        trainer = Trainer([reply()])
        caller = serve(trainer, drain_s=5)
        await caller.post("/v1/rollout/init", init())
        await caller.app.state.service.stop()
        assert [r["status"] for r in trainer.results] == ["COMPLETED"]

    asyncio.run(scenario())


def test_a_result_that_is_being_delivered_is_not_replaced() -> None:
    async def scenario() -> None:
        trainer = Trainer([reply()], [hang, hang])
        caller = serve(trainer, farewell_s=0.02)
        await caller.post("/v1/rollout/init", init())
        while not trainer.results:
            await asyncio.sleep(0)
        await caller.app.state.service.stop()
        assert {r["status"] for r in trainer.results} == {"COMPLETED"}
        assert not caller.app.state.service.tasks()

    asyncio.run(scenario())


@pytest.mark.parametrize(("path", "body"), [("/rollout", sync_start()), ("/v1/rollout/init", init())])
def test_nothing_is_started_any_more(path: str, body: object) -> None:
    async def scenario() -> int:
        caller = serve(Trainer())
        await caller.app.state.service.stop()
        return (await caller.post(path, body)).status_code

    assert asyncio.run(scenario()) == 503


def test_the_signal_begins_it_and_the_servers_own_handler_follows() -> None:
    seen: list[str] = []
    before = signal.signal(signal.SIGTERM, lambda *_: seen.append("server"))
    try:

        async def scenario() -> None:
            begun = asyncio.Event()
            with shutdown.on_signal(begun.set):
                os.kill(os.getpid(), signal.SIGTERM)
                await asyncio.wait_for(begun.wait(), 5)

        asyncio.run(scenario())
        os.kill(os.getpid(), signal.SIGTERM)
        assert seen == ["server", "server"]
    finally:
        signal.signal(signal.SIGTERM, before)
