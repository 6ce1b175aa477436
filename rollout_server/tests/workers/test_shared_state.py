"""What two processes of a group agree on. Two objects on one folder are two processes here."""

import asyncio
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rollout_conformance.rollout_server.common.workers.shared_state import SharedState
from rollout_conformance.rollout_server.rollout import key_claims, shared_slots
from rollout_conformance.rollout_server.rollout.concurrency import CapacityError
from rollout_conformance.rollout_server.rollout.key_claims import KeyClaims
from rollout_conformance.rollout_server.rollout.shared_slots import SharedSlots
from rollout_conformance.rollout_server.router import affinity, shared
from rollout_conformance.rollout_server.router.backend_pool import create
from rollout_conformance.rollout_server.router.settings import BackendSpec

States = tuple[SharedState, SharedState]


@pytest.fixture
def states(tmp_path: Path) -> Iterator[States]:
    tables = shared_slots.TABLES + key_claims.TABLES + shared.TABLES
    both = (SharedState(tmp_path, tables), SharedState(tmp_path, tables))
    yield both
    for state in both:
        state.close()


def test_a_transaction_that_fails_changes_nothing(states: States) -> None:
    def fail() -> None:
        with states[0].transaction():
            states[0].execute("INSERT INTO spent VALUES ('k', 1)")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert states[1].one("SELECT count(*) FROM spent") == 0
    states[1].write("INSERT INTO spent VALUES ('k', 1)")  # the lock is free


def test_places_are_those_of_both(states: States) -> None:
    one, two = (SharedSlots(1, 1, state, index) for index, state in enumerate(states))
    one.admit()
    two.admit()
    for slots in (one, two):
        assert slots.is_full()
        with pytest.raises(CapacityError):
            slots.admit()
    one.leave()
    two.admit()


def test_what_a_killed_process_had_is_free_when_it_is_started_again(states: States) -> None:
    SharedSlots(1, 0, states[0], 0).admit()
    claims = KeyClaims(states[0], 0)
    assert claims.claim(b"k", "a")
    running = shared.Running(states[0], 0)
    assert running.enter(1)
    SharedSlots(1, 0, states[1], 0).admit()
    assert KeyClaims(states[1], 0).claim(b"k", "b")
    assert shared.Running(states[1], 0).enter(1)


def test_slots_are_given_in_the_order_of_arrival(states: States) -> None:
    async def scenario() -> None:
        one, two = (SharedSlots(1, 9, state, index) for index, state in enumerate(states))
        order: list[int] = []

        async def rollout(number: int, slots: SharedSlots) -> None:
            async with slots.slot():
                order.append(number)
                assert one.running + two.running == 1
                await asyncio.sleep(0.002)

        tasks = []
        for number in range(8):
            tasks.append(asyncio.create_task(rollout(number, (one, two)[number % 3 == 0])))
            await asyncio.sleep(0)
        await asyncio.gather(*tasks)
        assert order == [*range(8)]

    asyncio.run(scenario())


def test_a_rollout_that_is_cancelled_while_it_waits_does_not_keep_its_turn(states: States) -> None:
    async def scenario() -> None:
        one, two = (SharedSlots(1, 9, state, index) for index, state in enumerate(states))
        async with one.slot():
            waiting = asyncio.create_task(enter(two))
            await asyncio.sleep(0.02)
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)
        async with asyncio.timeout(5), one.slot():
            pass

    async def enter(slots: SharedSlots) -> None:
        async with slots.slot():
            raise AssertionError

    asyncio.run(scenario())


def test_a_bucket_is_that_of_both(states: States) -> None:
    one, two = (shared.SharedLimiter(state) for state in states)
    taken = [limiter.of("k", 1.0, 3, 10.0).take(10.0).allowed for limiter in (one, two, one, two)]
    assert taken == [True, True, True, False]
    assert one.of("k", 1.0, 3, 11.5).peek(11.5).remaining == 1
    assert one.of("k", 1.0, 5, 11.5).peek(11.5).remaining == 5  # other limits: another bucket


def test_requests_are_counted_in_both(states: States) -> None:
    one, two = (shared.Running(state, index) for index, state in enumerate(states))
    assert [running.enter(2) for running in (one, two, one)] == [True, True, False]
    two.leave()
    assert one.enter(2)
    one.change("a", 2)
    two.change("a", -1)
    assert (one.count("a"), two.count("a"), two.count()) == (1, 1, 2)


def test_health_of_backends_is_that_which_either_found_last(states: States) -> None:
    one, two = (shared.SharedPool([backend("a"), backend("b")], state=state) for state in states)
    one.failed(one.get("a"), unreachable=True)
    assert [b.name for b in two.usable()] == ["b"]
    two.degrade("b", "maintenance")
    one.refresh()
    assert (one.get("b").degraded, one.get("b").reason, one.get("a").failures) == (True, "maintenance", 1)
    two.answered(two.get("a"))
    one.heal("b")
    assert [b.name for b in one.usable()] == [b.name for b in two.usable()] == ["a", "b"]


def backend(name: str) -> Any:
    return create(BackendSpec(name=name, url="http://backend.test"))


def test_a_prefix_is_known_to_both_and_the_oldest_is_removed(states: States) -> None:
    one, two = (shared.SharedAffinity(2, state) for state in states)
    talks = [[affinity.Boundary(name, 10)] for name in (b"1", b"2", b"3")]
    one.remember(talks[0], "a")
    two.remember(talks[1], "b")
    assert two.find(talks[0]) == "a"  # used again: the other one is the oldest
    one.remember(talks[2], "a")
    assert [two.find(talk) for talk in talks] == ["a", None, "a"]


def test_the_last_turn_is_open_while_slots_are_free(states: States) -> None:
    assert SharedSlots(2, 0, states[0], 0)._last_turn() == math.inf
