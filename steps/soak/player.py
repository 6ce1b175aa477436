"""Plays cases for as long as a plan says, so many at once or so many a second."""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from rollout_conformance.steps.engine.cases import Case
from rollout_conformance.steps.engine.early_end import ENDING
from rollout_conformance.steps.engine.findings import Verdict
from rollout_conformance.steps.engine.outcome import Outcome
from rollout_conformance.steps.soak.latencies import Latencies
from rollout_conformance.steps.soak.plan import SoakPlan
from rollout_conformance.steps.soak.tally import Tally
from rollout_conformance.steps.soak.timeline import Timeline
from rollout_conformance.steps.soak.usage import Usage

Play = Callable[[Case], Awaitable[Outcome]]
Measure = Callable[[], Awaitable[Usage]]


@dataclass(slots=True)
class Soak:
    """What is known so far. `chosen` is how many cases there are to play; `not_begun` counts those that a rate asked for while all places
    were taken; `turns` the requests that the target made."""

    plan: SoakPlan
    timeline: Timeline
    tally: Tally = field(default_factory=Tally)
    latencies: Latencies = field(default_factory=Latencies)
    chosen: int = 0
    not_begun: int = 0
    turns: int = 0
    began: float = field(default_factory=time.monotonic)

    @classmethod
    def of(cls, plan: SoakPlan) -> "Soak":
        return cls(plan, Timeline.over(plan.seconds))

    @property
    def elapsed_s(self) -> float:
        return time.monotonic() - self.began

    def add(self, outcome: Outcome) -> None:
        """Count one play. Of most outcomes only numbers are kept."""
        exchanges = outcome.trace.exchanges if outcome.trace else []
        self.tally.add(outcome)
        interval = self.timeline.at(self.elapsed_s)
        interval.plays += 1
        interval.failures += outcome.judgement.verdict is Verdict.FAIL
        interval.seconds += self.latencies.add(exchanges)
        self.turns += sum(not one.to_target for one in exchanges)


async def play(soak: Soak, cases: Sequence[Case], jobs: int, play_one: Play, measure: Measure) -> None:
    """Begin cases until the time is over, then wait for those in flight."""
    soak.began, soak.chosen = time.monotonic(), len(cases)
    places = asyncio.Semaphore(jobs)
    watching = asyncio.ensure_future(_watched(soak, measure))
    try:
        async with asyncio.TaskGroup() as group:
            for n, case in enumerate(soak.plan.order(cases)):
                await _turn(soak, n)
                if soak.elapsed_s >= soak.plan.seconds or ENDING.reason is not None:
                    break
                if soak.plan.rate is not None and places.locked():
                    soak.not_begun += 1
                    continue
                await places.acquire()
                group.create_task(_one(soak, case, play_one, places))
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
    soak.timeline.at(soak.elapsed_s).usage = await measure()


async def _turn(soak: Soak, n: int) -> None:
    """Wait until the case number `n` is due; without a rate, it is at once."""
    due_s = n / soak.plan.rate if soak.plan.rate is not None else 0.0
    await asyncio.sleep(max(0.0, min(due_s, soak.plan.seconds) - soak.elapsed_s))


async def _one(soak: Soak, case: Case, play_one: Play, places: asyncio.Semaphore) -> None:
    try:
        outcome = await play_one(case)
        if ENDING.reason is None:  # an outcome of the time when everything is being ended is no evidence
            soak.add(outcome)
    finally:
        places.release()


async def _watched(soak: Soak, measure: Measure) -> None:
    while True:
        await asyncio.sleep(soak.timeline.interval_s)
        with contextlib.suppress(OSError):
            soak.timeline.at(soak.elapsed_s).usage = await measure()
