"""The probe: one plain greeting in each dialect before anything is judged, so that what was never reached is not taken for a breach.

It refuses only where nothing could be judged. A target that answers the greeting, however badly, is for the cases.
"""

import asyncio
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from rollout_conformance.steps.engine.cases import Case, perform
from rollout_conformance.steps.engine.probe_result import ProbeResult
from rollout_conformance.steps.engine.runner import Runner
from rollout_conformance.steps.engine.session import Session, WaitTimeout
from rollout_conformance.steps.engine.starting import NotUsable
from rollout_conformance.steps.engine.trace import Trace
from rollout_conformance.steps.profiles.base import Profile

SILENCE_S = 8.0  # a plain greeting that nothing follows for so long is given up on, unless the card is more patient
LONGEST_S = 12.0  # what greets busy targets again and again, all in all
LIVE_S = 120.0  # a real model generates


@dataclass(frozen=True, slots=True)
class Greeting:
    """One greeting that was played, and what it showed."""

    dialect: str
    case: Case
    session: Session
    result: ProbeResult
    seconds: float


async def greet(runner: Runner, profile: Profile, dialects: Iterable[str]) -> tuple[Greeting, ...]:
    """Greet the target in all dialects at the same time: what hangs in one of them should cost its silence once."""
    return tuple(await asyncio.gather(*(_greeted(runner, profile, dialect) for dialect in dialects)))


async def _greeted(runner: Runner, profile: Profile, dialect: str) -> Greeting:
    """The greeting in one dialect, again for as long as the target says that it is busy."""
    case, began = profile.greeting(dialect), time.monotonic()
    longest = LIVE_S if runner.options.live else max(LONGEST_S, runner.options.card.patience_s)
    while True:
        session = await _session(runner, case)
        await _perform(session, case, began + longest - time.monotonic())
        result = profile.probe_result(session, case)
        spent = time.monotonic() - began
        if result.retry_s is None or spent + result.retry_s >= longest:
            break
        await asyncio.sleep(result.retry_s)
    if result.obstacle and result.retry_s is not None:
        result = replace(result, obstacle=f"{result.obstacle} (asked again for {spent:.0f} s)")
    return Greeting(dialect, case, session, result, spent)


async def _session(runner: Runner, case: Case) -> Session:
    session = runner.session(case, await runner.target(), Trace())
    session.busy = lambda: None  # a greeting holds none of the places that a busy target would have fewer of
    if not runner.options.live:
        session.patience_s = max(SILENCE_S, runner.options.card.patience_s)
    return session


async def _perform(session: Session, case: Case, within_s: float) -> None:
    try:
        async with asyncio.timeout(max(within_s, 0.0)):
            for step in case.actions:
                await perform(step, session)
    except (WaitTimeout, TimeoutError) as silence:
        session.state["wait_timeouts"] = [("", str(silence) or "the end of the greeting")]
    finally:
        await session.close()


async def answers(runner: Runner, profile: Profile, dialect: str) -> bool:
    """Whether the target answers the greeting now, once and without waiting for a busy one."""
    case = profile.greeting(dialect)
    session = await _session(runner, case)
    await _perform(session, case, LONGEST_S)
    return not profile.probe_result(session, case).obstacle


def judgeable(base_url: str, greetings: Sequence[Greeting]) -> tuple[str, ...]:
    """The dialects that can be judged. Raises `NotUsable` with the reason when there are none."""
    dead = [greeting for greeting in greetings if greeting.result.obstacle]
    if len(dead) < len(greetings):
        return tuple(greeting.dialect for greeting in greetings if not greeting.result.obstacle)
    told = {greeting.result.obstacle: greeting.dialect for greeting in reversed(dead)}
    lines = [f"{dialect}: {obstacle}" for obstacle, dialect in told.items()] if len(told) > 1 else list(told)
    raise NotUsable(
        f"{base_url}: nothing can be judged: " + "\n  ".join(["", *lines] if len(lines) > 1 else lines),
        starting=any(greeting.result.starting for greeting in dead),
        broken=any(greeting.result.broken for greeting in dead),
    )


def remarks(greetings: Iterable[Greeting]) -> tuple[str, ...]:
    """What a user should know before the run, a line each."""
    return tuple(
        f"dialect {greeting.dialect}{' is not judged' if greeting.result.obstacle else ''}: {said}"
        for greeting in greetings
        if (said := greeting.result.obstacle or greeting.result.remark)
    )
