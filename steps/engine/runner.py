"""Many cases on one loop: bounded, each with its own deadline, verdicts independent of what else is in flight.

A case holds a slot while it acts. Afterwards it only listens for what should not come, and releases the slot for the next one.
"""

import asyncio
import contextlib
import time
import traceback
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Generic, Protocol

import httpx

from rollout_conformance.steps.engine import author_code, http_client, retry_alone, statistical_verdict, targets
from rollout_conformance.steps.engine.cases import Action, Case, Expectation, perform
from rollout_conformance.steps.engine.concurrency_limiter import ConcurrencyLimiter
from rollout_conformance.steps.engine.cpu_wait import CpuWait
from rollout_conformance.steps.engine.findings import Judgement, SuiteError, Verdict, counts
from rollout_conformance.steps.engine.instances import Instances
from rollout_conformance.steps.engine.judging import Judging, JudgingProfile, V
from rollout_conformance.steps.engine.lateness import Lateness, limit, watched
from rollout_conformance.steps.engine.outcome import Outcome
from rollout_conformance.steps.engine.retry_alone import RetryPolicy
from rollout_conformance.steps.engine.session import MOST_PATIENCE, LastActivity, S, Session, WaitTimeout
from rollout_conformance.steps.engine.standstill import Standstill
from rollout_conformance.steps.engine.target_card import Card
from rollout_conformance.steps.engine.targets import END_NOTED_S, Target
from rollout_conformance.steps.engine.time_limit import JUDGING_S, time_limit
from rollout_conformance.steps.engine.trace import GIVEN_UP, Exchange, Trace

CASE_S = 120.0  # no case may take longer, whatever it waits for
LIVE_CASE_S = 300.0  # a real model generates, perhaps on two cores
EVERYTHING = 1_000_000
EXCLUSIVE = "exclusive"  # the tag of a case that no other case may be in flight beside
HURRIED_S = 3.0
AT_ONCE_S = 0.05  # the end of an instance that one case has to itself is looked for, not waited for
LAST_ENDED = 3  # cases that are named where a target has ended: one of them may be why
SLOW, SLOW_S = "slow", 7.0  # the tag of a case that waits for seconds: such a one begins early
LAST = "last"  # the tag of a case that may leave the target unable to answer
LATE = "late"  # that of one which may spoil the target for others
LIVE_PATIENCE_S = 30.0  # added to every wait for the target: it may itself be waiting for the model
SCRIPT_BOUND = "the case is about a script: it does not say what it demands of a live model (`live:` in its file)"


class PlayedProfile(JudgingProfile[S, V], Protocol[S, V]):
    """What a runner needs of a profile: `role` is whom the suite plays, `width` says how much of a target a case takes at once, `subject` what
    part of a case an action is about."""

    @property
    def role(self) -> str: ...
    @property
    def disturbs(self) -> Callable[[Case], bool]: ...
    @property
    def width(self) -> Callable[[Case], int]: ...
    def subject(self, action: Action | Expectation) -> str: ...


class PlayedPeers(Protocol):
    """What a runner needs of the peers of a run."""

    def context(self, case: Case) -> object: ...
    def lacks(self, case: Case) -> str | None: ...
    async def recovered(self, client: httpx.AsyncClient, base_url: str, within_s: float) -> bool: ...
    async def served(self, client: httpx.AsyncClient, base_url: str, variant: str) -> None: ...


@dataclass(frozen=True, slots=True)
class Options:
    """How a run is judged: `level` is the weakest level that fails it, `strict` counts null against absent as a change.

    `live` when a real model generates: only cases that say what they demand then are played.
    """

    target: str
    card: Card
    level: str = "must"
    strict: bool = False
    jobs: int = 32
    live: bool = False


@dataclass(slots=True)
class Runner(Generic[S, V]):
    """One run against one target. Use as an async context manager."""

    options: Options
    profile: PlayedProfile[S, V]
    peers: PlayedPeers
    rerun: Callable[[Case], str]
    last_activity: LastActivity = field(default_factory=LastActivity)
    limiters: dict[str, ConcurrencyLimiter] = field(default_factory=dict)
    client: httpx.AsyncClient = field(init=False)
    stack: contextlib.AsyncExitStack = field(default_factory=contextlib.AsyncExitStack)
    retries: RetryPolicy = field(default_factory=RetryPolicy)
    retry_lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    lateness: Lateness = field(default_factory=Lateness)
    instances: Instances = field(init=False)
    standstill: Standstill = field(init=False)
    playing: dict[str, float] = field(default_factory=dict)  # the cases in flight, and when each had its slot
    ended: deque[str] = field(default_factory=lambda: deque(maxlen=LAST_ENDED))  # the last cases that were played
    on_exchange: Callable[[Case, Exchange], None] | None = None  # called when an exchange of a case has ended

    def __post_init__(self) -> None:
        self.standstill = Standstill(self.last_activity, lambda since: self.lateness.since(since))
        given = self.options
        self.instances = Instances(
            given.target, given.card, given.jobs, self.profile.disturbs, self._recovered, self._served
        )

    async def __aenter__(self) -> "Runner":
        self.lateness = await self.stack.enter_async_context(watched(self._slower))
        self.client = await self.stack.enter_async_context(
            http_client.client(late=self.lateness.worst, headers=self.options.card.headers)
        )
        self.stack.push_async_callback(self.instances.aclose)
        self.stack.callback(asyncio.ensure_future(self.standstill.watch()).cancel)
        return self

    def _slower(self) -> None:
        """Fewer cases at once: the suite cannot keep up with those in flight."""
        for limiter in self.limiters.values():
            limiter.shrink()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        await self.stack.aclose()

    async def target(self) -> Target:
        """The running instance of the target; started when first asked for. Raises `StartError`."""
        return await self.instances.shared()

    async def _recovered(self, base_url: str, within_s: float) -> bool:
        return await self.peers.recovered(self.client, base_url, within_s)

    async def _served(self, base_url: str, variant: str) -> None:
        await self.peers.served(self.client, base_url, variant)

    def in_flight(self) -> list[tuple[str, float]]:
        """The names of the cases that are being played, with how many seconds each has been."""
        now = time.monotonic()
        return [(name, now - since) for name, since in self.playing.items()]

    async def play(self, case: Case) -> Outcome:
        """Run and judge one case. Never raises for anything that the target does."""
        lacking = self.lacks(case)
        if lacking:
            return Outcome(case, Judgement(Verdict.SKIP, {}, (), lacking), None, 0.0, self.rerun(case))
        if not self.options.live or case.live is None:
            return await self._certain(case)
        played = [await self._certain(case.on_live()) for _ in range(case.live.runs)]
        return statistical_verdict.verdict(case, played, self._counts)

    def lacks(self, case: Case) -> str | None:
        """Why a case cannot be played against this target; None where it can."""
        return self.peers.lacks(case) or (SCRIPT_BOUND if self.options.live and case.live is None else None)

    def _counts(self, requirement: str) -> bool:
        return counts(self.profile.levels[requirement], self.options.level)

    async def _certain(self, case: Case) -> Outcome:
        """The outcome of a case; of one that does not prove what it says, another one that was obtained with the target to itself."""
        limit_s = self.options.card.limits(case.variant).shortest()
        outcome = await self._once(case)
        for _ in range(retry_alone.RETRIES):
            if self.retries.reason_to_retry(outcome, limit_s) is None:
                return outcome
            async with self.retry_lock:  # what another case confirms meanwhile is not asked again
                if self.retries.reason_to_retry(outcome, limit_s) is None:
                    return outcome
                if not self.retries.may_retry():
                    break
                outcome = await self._once(case, again=True)
        why = self.retries.reason_to_retry(outcome, limit_s)
        return outcome if why is None or not outcome.judgement.findings else retry_alone.unproven(outcome, why)

    async def played_once(self, case: Case) -> Outcome:
        """The outcome of one play beside whatever else is in flight, whether or not it proves what it says."""
        return await self._once(case.on_live() if self.options.live else case)

    async def played_alone(self, case: Case) -> Outcome:
        """The outcome of a case while no other one uses its instance of the target."""
        async with self.retry_lock:
            return await self._once(case, again=True)

    async def _once(self, case: Case, again: bool = False) -> Outcome:
        """One play of a case; `again` for a second look, with no other case beside it and the whole patience."""
        since, late_s, cpu_wait_s = time.monotonic(), 0.0, 0.0
        trace = Trace(on_close=partial(self.on_exchange, case) if self.on_exchange else None)
        if self.standstill.reason is not None:
            return Outcome(case, self._not_played(), trace, 0.0, self.rerun(case))
        most_s = self.most_s(case)
        disturbs = self.profile.disturbs(case)
        apart = again or disturbs
        hurried = target_ended = False
        try:
            async with self._slot(case, apart), self.instances.of(case, apart) as (target, well):
                if disturbs and well:
                    self.standstill.has_answered()
                hurried = self.retries.silent and not again  # known only now: it may have waited long for its turn
                if hurried:
                    self.instances.widen()
                was_running = not target.is_over
                since = self.playing[f"{case.name}[{case.dialect}]"] = time.monotonic()
                cpu = CpuWait(target.process.pid if target.process else None)
                waited = self.standstill.watched(self._patience(case, hurried=False))
                async with limit(most_s, self.lateness.since), waited:
                    session = await self._acted(case, target, trace, apart, not well, hurried)
                cpu_wait_s = cpu.seconds()
            within_s = END_NOTED_S if self.instances.is_shared(case) else AT_ONCE_S
            target_ended = was_running and await _note_end(trace, target, within_s)
            judgement, late_s = await self._settled(case, session, since)
            refused = self.instances.is_shared(case) and not target_ended and _refused(trace)
            if refused and (reason := await self._unreachable(refused, target)):
                judgement = Judgement(Verdict.ERROR, {}, (), reason)
        except TimeoutError:
            told = self.standstill.reason or f"the case did not end within {most_s:g} s"
            judgement = Judgement(Verdict.ERROR, {}, (), told)
        except SuiteError as error:
            judgement = Judgement(Verdict.ERROR, {}, (), str(error))
        except Exception as error:  # of the suite or of a profile, and of this case alone
            judgement = Judgement(Verdict.ERROR, {}, (), _fault(error))
        finally:
            self.playing.pop(f"{case.name}[{case.dialect}]", None)
        self.ended.append(f'"{case.name}" [{case.dialect}]')
        trace.trim()
        alone = apart or case.alone or EXCLUSIVE in case.tags
        seconds = time.monotonic() - since
        return Outcome(
            case,
            judgement,
            trace,
            seconds,
            self.rerun(case),
            late_s,
            alone,
            cpu_wait_s=cpu_wait_s,
            hurried=hurried,
            target_ended=target_ended,
        )

    def most_s(self, case: Case) -> float:
        """How many seconds a case may take at most: longer than one request is waited for, so that what has no response in time is judged."""
        unanswered_s = MOST_PATIENCE * (self.options.card.patience_s + _waits_s(case))
        usual_s = (LIVE_CASE_S if self.options.live else CASE_S) + 2 * _waits_s(case)
        return max(usual_s, unanswered_s + CASE_S / 2)

    async def _unreachable(self, fault: str, target: Target) -> str | None:
        """Why no case can be judged any more."""
        before = f". The last cases before it: {', '.join(self.ended)}" if self.ended else ""
        told = f"the target accepts no connection any more: {fault}{await targets.about_end(target)}{before}"
        return await self.standstill.confirmed(told)

    def _slot(self, case: Case, apart: bool) -> contextlib.AbstractAsyncContextManager[None]:
        # A case with an instance of its own disturbs no other.
        if not self.instances.is_shared(case):
            return contextlib.nullcontext()
        return self._limiter(case.variant).acquire(EVERYTHING if apart else self._width(case))

    def _width(self, case: Case) -> int:
        """How much of the target a case takes at once, at most. An exclusive one measures, and is played alone; one that is played
        last may leave the target unable to answer."""
        return EVERYTHING if {EXCLUSIVE, LAST} & case.tags else max(1, self.profile.width(case))

    def _limiter(self, variant: str) -> ConcurrencyLimiter:
        """Every instance has room of its own: those with short deadlines must not stand in line behind the others."""
        return self.limiters.setdefault(variant, ConcurrencyLimiter(self.options.jobs))

    def limit(self, capacity: int | None) -> None:
        """Never have more in flight at the target than it takes at once."""
        if capacity is not None:
            self.limiters[""] = ConcurrencyLimiter(min(self.options.jobs, capacity))

    def session(self, case: Case, target: Target, trace: Trace, hurried: bool = False) -> Session[S]:
        """A session of this run against an instance of the target."""
        trace.epoch = time.monotonic()
        session: Session[S] = Session(
            target.base_url,
            self.client,
            trace,
            self._patience(case, hurried),
            self.options.card.settle_s,
            self.last_activity,
        )
        session.state["sampled"] = case.live is not None and case.live.runs > 1
        session.role = self.profile.role
        session.context, session.state["target"] = self.peers.context(case), target
        session.state["log_from"] = target.log_size()
        session.busy, session.late = self._limiter(case.variant).shrink, self.lateness.since
        return session

    def _patience(self, case: Case, hurried: bool) -> float:
        """How long a silent target is waited for in this case, in seconds. Once it is known not to do something that it is waited for, a
        first look is short, and a second one, for what is new, as long as it was."""
        card = self.options.card
        waits = _waits_s(case)
        patience = max(card.patience_s + waits, card.limits(case.variant).longest() * 2)
        patience += LIVE_PATIENCE_S if self.options.live else 0.0
        return min(patience, waits + HURRIED_S) if hurried else patience

    def _not_played(self) -> Judgement:
        return Judgement(Verdict.ERROR, {}, (), f"not played: {self.standstill.reason}")

    async def _acted(
        self, case: Case, target: Target, trace: Trace, apart: bool, unwell: bool, hurried: bool
    ) -> Session[S]:
        """Perform the actions; one that waits in vain ends them, and the judge is told what it waited for."""
        session = self.session(case, target, trace, hurried)
        session.state["apart"], session.state["unwell"] = apart, unwell
        try:
            for step in case.actions:
                await perform(step, session)
        except WaitTimeout as silence:
            others = 0 if apart else self._limiter(case.variant).used - self._width(case)
            session.state["crowded"] = max(0, others)
            session.state["wait_timeouts"] = [(self.profile.subject(step.what), str(silence))]
        except BaseException:
            await session.close()
            raise
        if case.alone:
            await session.settle()  # while its instance is still there to be listened to
        return session

    async def _settled(self, case: Case, session: Session[S], since: float) -> tuple[Judgement, float]:
        """The judgement, and by how many seconds the suite was late at most since then. The time that the judge itself takes is not among
        them: what it judges was measured before."""
        try:
            await session.settle()
            late_s = self.lateness.worst(since)
            with time_limit(JUDGING_S, f'the judge of "{case.name}" is still computing'):
                return self.judgement(case, session), late_s
        finally:
            await session.close()

    def judgement(self, case: Case, session: Session[S]) -> Judgement:
        """What the trace of a session shows, as this case judges it."""
        return Judging(self.profile, self.options.level, self.options.strict).judgement(case, session)


def _waits_s(case: Case) -> float:
    """How much longer than an ordinary case this one may take because of its script or its pauses, in seconds."""
    return max((getattr(step.what, "waits_s", 0.0) for step in case.actions), default=0.0)


def _refused(trace: Trace) -> str | None:
    """The fault of a case whose first request that failed was refused a connection; None of any other case."""
    first = next((one.fault for one in trace.exchanges if one.to_target and one.fault), "")
    return first if first.startswith(http_client.NOT_CONNECTED) else None


async def _note_end(trace: Trace, target: Target, within_s: float) -> bool:
    """Whether the process of the target ended in this case, or beside it; the first fault of the case then says so, which comes of that."""
    lost = next((one for one in trace.exchanges if one.to_target and one.fault), None)
    if lost is None or not lost.fault or lost.is_out_of_time or lost.fault == GIVEN_UP:
        return False
    told = await targets.about_end(target, within_s)
    trace.exchanges[lost.n] = replace(lost, fault=lost.fault + told)
    return bool(told)


def _fault(error: Exception) -> str:
    """What failed: the code of a profile that another package brings, else the suite itself."""
    at = traceback.extract_tb(error.__traceback__)[-1]
    what = f"{type(error).__name__}: {error} ({Path(at.filename).name}:{at.lineno})"
    return f"{author_code.fault_of_author(error) or 'the suite itself failed'}: {what}"
