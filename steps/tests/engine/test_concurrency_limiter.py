"""How many cases hold slots at once. Time is virtual."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from rollout_conformance.steps.engine.concurrency_limiter import BREATH_S, ConcurrencyLimiter
from rollout_conformance.steps.tests import virtual_time


class Log:
    """Plays cases of some widths for a second each, and keeps what was in flight together."""

    def __init__(self, limiter: ConcurrencyLimiter) -> None:
        self.limiter = limiter
        self.in_flight: set[str] = set()
        self.seen: list[set[str]] = []

    async def case(self, name: str, slots: int = 1) -> None:
        async with self.limiter.acquire(slots):
            self.in_flight.add(name)
            self.seen.append(set(self.in_flight))
            await asyncio.sleep(1)
            self.in_flight.remove(name)


def played(total: int, play: Callable[[Log], Coroutine[Any, Any, None]]) -> list[set[str]]:
    async def main() -> list[set[str]]:
        log = Log(ConcurrencyLimiter(total))
        await play(log)
        assert (log.limiter.used, len(log.limiter.waiting)) == (0, 0)
        return log.seen

    return virtual_time.run(main())


def test_no_more_cases_hold_slots_than_there_are() -> None:
    async def play(log: Log) -> None:
        await asyncio.gather(*(log.case(str(n)) for n in range(7)))
        assert virtual_time.now() == 3.0

    assert max(map(len, played(3, play))) == 3


def test_a_wide_case_waits_for_all_its_slots_and_nobody_overtakes_it() -> None:
    async def play(log: Log) -> None:
        await asyncio.gather(log.case("a"), log.case("wide", 3), log.case("b"))

    assert played(3, play) == [{"a"}, {"wide"}, {"b"}]


def test_a_case_wider_than_everything_has_the_target_to_itself() -> None:
    async def play(log: Log) -> None:
        await asyncio.gather(log.case("a"), log.case("wide", 1_000_000), log.case("b"), log.case("c"))

    assert played(2, play) == [{"a"}, {"wide"}, {"b"}, {"b", "c"}]


@pytest.mark.parametrize("when", [0.5, 1.0])
def test_a_case_that_is_cancelled_while_it_waits_leaves_its_turn_to_the_next(when: float) -> None:
    async def play(log: Log) -> None:
        first, second, third = (asyncio.ensure_future(log.case(name)) for name in "abc")
        await asyncio.sleep(when)  # at 1.0 it may just have been admitted
        second.cancel()
        await asyncio.gather(first, second, third, return_exceptions=True)

    assert {"c"} in played(1, play)


def test_a_complaint_halves_the_slots_once_and_a_quiet_time_gives_one_back() -> None:
    async def play(log: Log) -> None:
        limiter = log.limiter
        async with limiter.acquire(8):
            await asyncio.sleep(0)
            limiter.shrink()
            limiter.shrink()
            assert limiter.total == 4
        await asyncio.sleep(BREATH_S + 0.1)
        await log.case("a")
        assert limiter.total == 5
        for _ in range(10):
            await asyncio.sleep(BREATH_S + 0.1)
            await log.case("a")
        assert limiter.total == 8

    played(8, play)


def test_there_is_always_one_slot() -> None:
    async def play(log: Log) -> None:
        for _ in range(5):
            async with log.limiter.acquire(1):
                log.limiter.shrink()
            await asyncio.sleep(BREATH_S + 0.1)
        await log.case("a")
        assert log.limiter.total >= 1

    assert played(2, play) == [{"a"}]
