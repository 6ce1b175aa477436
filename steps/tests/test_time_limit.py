"""Judging ends in its time on any thread, within regular expressions on the main one, and nothing is raised after the block."""

import asyncio
import contextlib
import re
import signal
import threading
import time
from collections.abc import AsyncIterator, Callable
from types import SimpleNamespace
from typing import Any

import pytest

from rollout_conformance.steps.engine import runner
from rollout_conformance.steps.engine.cases import Case
from rollout_conformance.steps.engine.findings import Judgement, Location, Verdict
from rollout_conformance.steps.engine.instances import Instances
from rollout_conformance.steps.engine.runner import Options, Runner
from rollout_conformance.steps.engine.target_card import Card
from rollout_conformance.steps.engine.targets import Target
from rollout_conformance.steps.engine.time_limit import OutOfTime, cut_main, cut_others, forbid, time_limit

SLOW = "a" * 60 + "b"


def spin(seconds: float) -> None:
    """Compute for so long, in the CPU time of this thread."""
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass


def backtrack() -> None:
    re.match(r"(a+)+$", SLOW)


def in_thread(work: Callable[[], None]) -> BaseException | None:
    caught: list[BaseException | None] = [None]

    def run() -> None:
        try:
            work()
        except BaseException as error:
            caught[0] = error

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    return caught[0]


def limited(seconds: float, work: Callable[[], None]) -> None:
    with time_limit(seconds, "the case"):
        work()


@pytest.mark.parametrize("work", [backtrack, lambda: spin(60)], ids=["a regular expression", "a loop"])
def test_the_main_thread_is_cut(work: Callable[[], None]) -> None:
    with pytest.raises(OutOfTime, match=r"could not be judged within 0\.1 s: the case \(busy in steps/tests/"):
        limited(0.1, work)


def test_another_thread_is_cut() -> None:
    error = in_thread(lambda: limited(0.1, lambda: spin(60)))
    assert isinstance(error, OutOfTime)
    assert "could not be judged within 0.1 s: the case (busy in steps/tests/test_time_limit.py:" in str(error)


def swallowing() -> None:
    end = time.thread_time() + 60
    while time.thread_time() < end:
        try:
            spin(60)
        except Exception:
            return


def test_a_judge_that_swallows_what_cuts_it_is_out_of_time_all_the_same() -> None:
    with pytest.raises(OutOfTime, match="the case"):
        limited(0.05, swallowing)
    assert isinstance(in_thread(lambda: limited(0.05, swallowing)), OutOfTime)


def waiting() -> None:
    threading.Event().wait(0.2)


def test_time_that_others_had_does_not_count() -> None:
    """Waiting stands for a machine that is busy with something else: the block computes little, and takes long."""
    limited(0.05, waiting)
    assert in_thread(lambda: limited(0.05, waiting)) is None


def test_nothing_is_raised_after_the_block() -> None:
    """Blocks that end just when their time is over, many times: what is raised is raised by the block."""

    def race() -> None:
        for n in range(300):
            with_block = 0.001 + n % 10 * 0.00001
            try:
                limited(0.001, lambda length=with_block: spin(length))  # type: ignore[misc]
            except OutOfTime:
                continue
            spin(0.0005)

    assert in_thread(race) is None
    race()


def test_an_exception_of_the_block_passes() -> None:
    with pytest.raises(ZeroDivisionError), time_limit(5, "the case"):
        _ = 1 / 0


def test_a_signal_cuts_the_judge_of_the_main_thread() -> None:
    before = signal.signal(signal.SIGVTALRM, lambda number, frame: cut_main(asyncio.CancelledError()))
    try:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0.05)  # no thread of ours could send it: the expression lets none run
        with pytest.raises(asyncio.CancelledError):
            limited(60, backtrack)
        cut_main(asyncio.CancelledError())  # nobody judges: nothing is raised
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def test_the_judge_of_another_thread_is_cut_from_outside() -> None:
    timer = threading.Timer(0.05, cut_others, [asyncio.CancelledError])
    timer.start()
    error = in_thread(lambda: limited(60, lambda: spin(60)))
    timer.join()
    assert isinstance(error, asyncio.CancelledError)
    cut_others(asyncio.CancelledError)


def test_an_alarm_that_somebody_else_has_set_is_left_alone() -> None:
    rung: list[int] = []
    before = signal.signal(signal.SIGALRM, lambda number, frame: rung.append(number))
    try:
        with pytest.raises(OutOfTime):
            limited(0.05, lambda: spin(60))
        assert not rung
        signal.raise_signal(signal.SIGALRM)
        assert rung
    finally:
        signal.signal(signal.SIGALRM, before)


def test_no_block_begins_once_it_is_forbidden() -> None:
    forbid(asyncio.CancelledError)
    try:
        with pytest.raises(asyncio.CancelledError), time_limit(5, "the case"):
            raise AssertionError
    finally:
        forbid(None)


class Quiet:
    """A session in which nothing happens."""

    async def settle(self) -> None: ...
    async def close(self) -> None: ...


class Endless(Runner):
    """Its target answers, and its judge computes for ever."""

    async def _acted(self, *any_of_it: Any) -> Any:
        return Quiet()

    def judgement(self, case: Case, session: Any) -> Judgement:
        backtrack()
        raise AssertionError


@contextlib.asynccontextmanager
async def no_target(self: Instances, case: Case, apart: bool) -> AsyncIterator[Any]:
    yield Target("http://target"), True


def test_a_case_that_cannot_be_judged_in_its_time_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Instances, "of", no_target)
    monkeypatch.setattr(runner, "JUDGING_S", 0.1)
    case = Case("a", "rollout", "sync", ("ROLLOUT-094",), (), Location("x.yaml", 7))
    nobody: Any = SimpleNamespace(disturbs=lambda case: False, width=lambda case: 1, recovered=None)
    outcome = asyncio.run(Endless(Options("http://x", Card()), nobody, nobody, lambda case: "")._once(case))
    assert outcome.judgement.verdict is Verdict.ERROR
    assert outcome.judgement.reason.startswith('could not be judged within 0.1 s: the judge of "a" is still computing')
