"""When a run is ended because its target has stopped answering, and when one request that hangs is left to its case. Time is virtual."""

import asyncio
import contextlib
from collections.abc import Iterator

import pytest

from rollout_conformance.steps.engine.session import LastActivity
from rollout_conformance.steps.engine.standstill import MOST_PROBES, TIMES, Standstill
from rollout_conformance.steps.tests import virtual_time

PATIENCE_S = 2.0


async def ended_after(answers: Iterator[bool] | None, hangs_s: float) -> tuple[float, str | None]:
    """After how long a request that hangs for `hangs_s` came to its end, and why the run was ended, if it was."""
    loop = asyncio.get_running_loop()
    standstill = Standstill(LastActivity())
    if answers is not None:

        async def answer() -> bool:
            return next(answers)

        standstill.answers = answer
    watching = asyncio.ensure_future(standstill.watch())
    began = loop.time()
    with contextlib.suppress(TimeoutError):
        async with standstill.watched(PATIENCE_S):
            await asyncio.sleep(hangs_s)
    watching.cancel()
    return loop.time() - began, standstill.reason


@pytest.mark.parametrize("answers", [None, [False]], ids=["it cannot be asked", "it does not answer"])
def test_a_target_that_does_not_answer_ends_the_run(answers: list[bool] | None) -> None:
    spent, reason = virtual_time.run(ended_after(iter(answers) if answers else None, 60))
    assert spent < (TIMES + 1) * PATIENCE_S
    assert reason is not None
    assert "has stopped answering" in reason


def test_a_request_that_hangs_on_a_target_that_answers_others_is_left_to_its_case() -> None:
    spent, reason = virtual_time.run(ended_after(iter([True] * 9), 3 * TIMES * PATIENCE_S))
    assert spent == pytest.approx(3 * TIMES * PATIENCE_S)
    assert reason is None


def test_a_target_is_asked_a_few_times_in_a_run() -> None:
    spent, reason = virtual_time.run(ended_after(iter([True] * 99), 600))
    assert spent < (MOST_PROBES + 1) * (TIMES + 1) * PATIENCE_S
    assert reason is not None


def test_a_target_that_answered_cases_between_is_asked_again() -> None:
    """Long silences that a target has a right to, such as the end of a session, are no standstill however many there are."""

    async def silences() -> str | None:
        activity = LastActivity()
        standstill = Standstill(activity)

        async def answer() -> bool:
            return True

        standstill.answers = answer
        watching = asyncio.ensure_future(standstill.watch())
        for _ in range(3 * MOST_PROBES):
            async with standstill.watched(PATIENCE_S):
                await asyncio.sleep((TIMES + 0.5) * PATIENCE_S)
                activity.answers += 1
                activity.last = asyncio.get_running_loop().time()
        watching.cancel()
        return standstill.reason

    assert virtual_time.run(silences()) is None


async def silence(late_s: float, silences: int = 1) -> str | None:
    """The reason after so many times the longest silence, in which the suite was late by `late_s`."""
    standstill = Standstill(LastActivity(), lambda since: late_s)
    watching = asyncio.ensure_future(standstill.watch())
    with contextlib.suppress(TimeoutError):
        async with standstill.watched(PATIENCE_S):
            await asyncio.sleep((silences * TIMES + 1) * PATIENCE_S)
    watching.cancel()
    return standstill.reason


def test_seconds_by_which_the_suite_was_late_are_no_silence() -> None:
    assert virtual_time.run(silence(0.0)) is not None
    assert virtual_time.run(silence(2 * PATIENCE_S)) is None


def test_a_machine_that_starves_the_suite_may_starve_the_target() -> None:
    """However long the silence is: half of it, or a tenth of it, the suite was late itself."""
    most = 10 * TIMES * PATIENCE_S
    assert virtual_time.run(silence(most / 2, silences=10)) is None
    assert virtual_time.run(silence(most / 10, silences=10)) is not None
