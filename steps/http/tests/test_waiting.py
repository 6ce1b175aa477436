"""Waiting for what no event shows."""

import asyncio

import httpx

from rollout_conformance.steps.engine.session import Session
from rollout_conformance.steps.engine.trace import Trace
from rollout_conformance.steps.http.waiting import repeat_until, wait_until


def waited(outcomes: list[bool], for_s: float) -> tuple[bool, int]:
    """Whether one of the attempts succeeded in time, and how many were made."""
    made = 0

    async def attempt() -> bool:
        nonlocal made
        made += 1
        return outcomes[min(made, len(outcomes)) - 1]

    async def play() -> bool:
        async with httpx.AsyncClient() as client:
            session = Session("http://x", client, Trace(), patience_s=for_s, settle_s=0)
            return await repeat_until(session, attempt, every_s=0)

    return asyncio.run(play()), made


def test_an_attempt_that_succeeds_ends_it() -> None:
    assert waited([False, False, True], 60) == (True, 3)


def test_one_attempt_is_always_made() -> None:
    assert waited([True], 0) == (True, 1)


def test_it_gives_up_when_the_time_is_over() -> None:
    assert waited([False], -1) == (False, 1)


def test_the_lateness_of_the_suite_is_not_counted() -> None:
    async def play() -> bool:
        async with httpx.AsyncClient() as client:
            late = iter([5.0, 5.0, -5.0])
            session = Session("http://x", client, Trace(), -1, 0, late=lambda since: next(late))
            looks = iter([False, False, True])
            return await wait_until(session, lambda: next(looks), every_s=0)

    assert asyncio.run(play())
