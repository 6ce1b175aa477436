"""Instances of the target for cases that leave a target changed."""

import asyncio

from rollout_conformance.steps.engine.instance_pool import InstancePool, PooledInstance
from rollout_conformance.steps.engine.targets import Target
from rollout_conformance.steps.tests import virtual_time

TARGET = Target("http://127.0.0.1:1")


def test_there_are_no_more_instances_than_allowed_and_the_first_that_is_free_is_taken() -> None:
    async def play() -> None:
        pool = InstancePool(2)
        used: list[int] = []

        async def case(seconds: float) -> None:
            async with pool.acquire() as instance:
                used.append(pool.made.index(instance))
                await asyncio.sleep(seconds)

        await asyncio.gather(case(5), case(1), case(1), case(1))
        assert used == [0, 1, 1, 1]
        assert virtual_time.now() == 5.0

    virtual_time.run(play())


def test_an_instance_is_reused_before_another_one_is_made() -> None:
    async def play() -> None:
        pool = InstancePool(4)
        for _ in range(3):
            async with pool.acquire():
                pass
        assert len(pool.made) == 1

    virtual_time.run(play())


def test_a_pool_that_is_widened_has_instances_for_those_that_wait_already() -> None:
    async def play() -> None:
        pool = InstancePool(1)

        async def case() -> None:
            async with pool.acquire():
                await asyncio.sleep(5)

        asyncio.get_running_loop().call_later(1, pool.widen, 3)
        await asyncio.gather(case(), case(), case())
        assert virtual_time.now() == 6.0
        pool.widen(2)
        assert (pool.most, len(pool.made)) == (3, 3)

    virtual_time.run(play())


def test_an_instance_that_was_spoilt_is_ended_and_the_next_case_starts_one() -> None:
    async def play() -> None:
        pool = InstancePool(1)
        ended: list[str] = []
        async with pool.acquire() as instance:
            start(instance, "first", ended)
            await instance.spoilt()
            assert (instance.target, ended) == (None, ["first"])
        async with pool.acquire() as again:
            assert again is instance
            start(again, "second", ended)
        await pool.aclose()
        assert ended == ["first", "second"]

    virtual_time.run(play())


def start(instance: PooledInstance, name: str, ended: list[str]) -> None:
    instance.target = TARGET
    instance.stack.callback(ended.append, name)
