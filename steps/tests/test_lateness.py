"""How late the suite itself was, of ticks whose times are given; and that a loop which was held up is noted."""

import asyncio
import time

import pytest

from rollout_conformance.steps.engine import lateness
from rollout_conformance.steps.engine.lateness import KEPT, NOTED_S, TOO_LATE_S, Lateness, limit, watched


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The clock: its only item is the time."""
    clock = [100.0]
    monkeypatch.setattr(lateness, "monotonic", lambda: clock[0])
    return clock


def test_a_tick_in_time_is_not_noted() -> None:
    seen = Lateness()
    seen.note(10.0, 10.0 + NOTED_S)
    seen.note(11.0, 10.9)
    assert not seen.late
    assert (seen.worst(0.0), seen.since(0.0)) == (0.0, 0.0)


def test_only_what_was_late_since_then_counts(now: list[float]) -> None:
    seen = Lateness()
    seen.note(10.0, 12.0)
    seen.note(20.0, 20.5)
    seen.note(30.0, 31.0)
    seen.due = now[0]
    assert [seen.worst(began) for began in (0.0, 12.1, 20.6, 31.5)] == [2.0, 1.0, 1.0, 0.0]
    assert [seen.since(began) for began in (0.0, 12.1, 20.6, 31.5)] == [3.5, 1.5, 1.0, 0.0]


def test_a_tick_that_has_not_come_yet_is_late_already(now: list[float]) -> None:
    seen = Lateness()
    seen.due = 100.0
    now[0] = 103.0
    assert seen.worst(102.9) == 3.0
    now[0] = 99.0
    assert seen.worst(0.0) == 0.0


def test_whoever_never_watched_was_never_late(now: list[float]) -> None:
    assert Lateness().worst(0.0) == 0.0


@pytest.mark.parametrize(("late_s", "complaints"), [(TOO_LATE_S - 0.01, 0), (TOO_LATE_S + 0.01, 1)])
def test_what_can_make_a_deadline_be_missed_is_complained_of(late_s: float, complaints: int) -> None:
    complained: list[None] = []
    Lateness(lambda: complained.append(None)).note(10.0, 10.0 + late_s)
    assert len(complained) == complaints


def test_a_long_run_remembers_a_bounded_number() -> None:
    seen = Lateness()
    for n in range(KEPT + 5):
        seen.note(n, n + 1.0)
    assert len(seen.late) == KEPT


def test_a_loop_that_was_held_up_is_noted(now: list[float]) -> None:
    """Whatever holds the loop up, the clock has gone on when it comes to the tick."""

    async def held_up() -> float:
        async with watched() as seen:
            while not seen.due:
                await asyncio.sleep(0)
            now[0] += 2.0
            while not seen.late:
                await asyncio.sleep(0)
            return seen.late[0][1]

    assert asyncio.run(held_up()) == pytest.approx(2.0 - lateness.TICK_S)


def test_a_limit_that_ends_while_it_is_extended_is_no_failure_of_the_loop() -> None:
    """The loop stood still until long after the limit: what extends it and what ends it are due in the same turn."""
    problems: list[str] = []

    async def held_up() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: problems.append(str(context)))
        late = iter([0.3, *[0.6] * 20])
        async with limit(0.1, lambda began: next(late)):
            await asyncio.sleep(0)
            time.sleep(1.5)  # noqa: ASYNC251 - it is what is tested
            await asyncio.sleep(5)

    with pytest.raises(TimeoutError):
        asyncio.run(held_up())
    assert problems == []
