"""The life of every rollout on this server: admitted, run, ended, reported; and shutdown, which ends the rest."""

import asyncio
import time
from collections.abc import Iterable
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from rollout_conformance.contracts.rollout.wire_routed import CancelRequest, Disposition
from rollout_conformance.rollout_server.common import logs
from rollout_conformance.rollout_server.rollout import (
    concurrency,
    delivery,
    errors,
    results,
    retry,
    rollout_state,
    routed_dialect,
)
from rollout_conformance.rollout_server.rollout.errors import RolloutError
from rollout_conformance.rollout_server.rollout.idempotency import Registry
from rollout_conformance.rollout_server.rollout.metrics import Metrics
from rollout_conformance.rollout_server.rollout.results import Outcome
from rollout_conformance.rollout_server.rollout.rollout_state import Rollout
from rollout_conformance.rollout_server.rollout.settings import Settings
from rollout_conformance.rollout_server.rollout.start_request import Dialect, Start
from rollout_conformance.rollout_server.rollout.status_store import Board, Standing
from rollout_conformance.rollout_server.rollout.tokenizer_cache import Tokenizers
from rollout_conformance.rollout_server.rollout.tools import Toolbox
from rollout_conformance.rollout_server.rollout.trainer_client import TrainerClient


class StoppingError(Exception):
    """The server is shutting down and starts nothing more."""


@dataclass(frozen=True, slots=True)
class Kit:
    """What a rollout works with."""

    settings: Settings
    trainer: TrainerClient
    tokenizers: Tokenizers
    toolbox: Toolbox
    metrics: Metrics
    log: Any

    def generation_policy(self, dialect: Dialect) -> retry.Policy:
        s = self.settings
        retries = s.sync_generation_retries if dialect == "sync" else s.generation_retries
        return retry.Policy(retries, s.retry_base_s, s.retry_max_s)

    def completion_policy(self) -> retry.Policy:
        s = self.settings
        return retry.Policy(s.completion_retries, s.retry_base_s, s.retry_max_s)


class Service:
    def __init__(self, kit: Kit, agent: ModuleType) -> None:
        self.kit = kit
        self.agent = agent
        self.slots = concurrency.Slots(kit.settings.max_concurrent, kit.settings.max_queued)
        self.registry = Registry(kit.settings.record_ttl_s, kit.settings.max_records)
        self.runs: set[asyncio.Task[Outcome]] = set()
        self.reports: set[asyncio.Task[None]] = set()
        self.board = Board(kit.settings.max_records)
        self.by_id: dict[str, asyncio.Task[Outcome]] = {}  # what a cancellation can reach
        self.cancelled: set[str] = set()
        self.stopping = False
        self._stopped: asyncio.Task[None] | None = None

    @property
    def active(self) -> int:
        """Rollouts that are accepted and have not ended."""
        return len(self.runs)

    def launch(self, start: Start) -> "asyncio.Task[Outcome]":
        """Admit a rollout and set it going. The task never fails; it is cancelled or has an outcome."""
        if self.stopping:
            raise StoppingError
        self.slots.admit()
        self.kit.metrics.started(start)
        self.kit.log.info("rollout_started", rollout_id=start.rollout_id, dialect=start.dialect)
        self.put(start, "queued")
        run = asyncio.ensure_future(self.conduct(start))
        self.runs.add(run)
        run.add_done_callback(self.runs.discard)
        return run

    def run_sync(self, start: Start) -> "asyncio.Task[Outcome]":
        run = self.launch(start)
        run.add_done_callback(lambda _: self.slots.leave())
        return run

    def accept(self, start: Start) -> dict[str, Any]:
        """The body of the 202; for a start that came before, the same one again."""
        known = self.registry.find(start, time.monotonic())
        if known is not None:
            return known.reply
        run = self.launch(start)
        if start.routes is not None:
            self.by_id[start.rollout_id] = run
            run.add_done_callback(lambda _: self.by_id.pop(start.rollout_id, None))
        reply = init_reply(start, self.kit.toolbox)
        self.registry.add(start, reply)
        report = asyncio.ensure_future(self.report(start, run))
        self.reports.add(report)
        report.add_done_callback(self.reports.discard)
        return reply

    async def report(self, start: Start, run: "asyncio.Task[Outcome]") -> None:
        """The place in the queue is kept until here: results that nobody takes must not pile up without a limit."""
        try:
            result = await run
            if start.routes is not None:
                self.put(start, "grading" if routed_dialect.grade(start, result) else routed_dialect.status_of(result))
            await delivery.deliver(start, result, self.kit)
            self.put(start, routed_dialect.status_of(result))
        finally:
            self.cancelled.discard(start.rollout_id)
            self.registry.finish(start.rollout_id, time.monotonic())
            self.slots.leave()

    async def conduct(self, start: Start) -> Outcome:
        """Run one rollout; however it goes, it has exactly one outcome."""
        state = rollout_state.begin(start)
        budget_s = agent_budget(start)
        if budget_s is not None and budget_s <= 0:
            result = fail(state, errors.rollout_timeout(budget_s))
            self.note(start, result)
            return result
        arrived = time.perf_counter()
        try:
            async with asyncio.timeout(budget_s) as budget, self.slots.slot():
                self.kit.metrics.queued(time.perf_counter() - arrived)
                self.put(start, "running")
                result = await self.run(state)
        except TimeoutError:
            assert budget.expired()
            result = fail(state, errors.rollout_timeout(budget_s or 0.0))
        except asyncio.CancelledError:
            if start.rollout_id in self.cancelled:
                self.cancelled.discard(start.rollout_id)
                result = fail(state, errors.cancelled())
            elif self.stopping:
                result = fail(state, errors.shutdown())
            else:
                raise  # the caller has gone, and there is nobody to tell
        self.note(start, result)
        return result

    def put(self, start: Start, standing: Standing) -> None:
        if start.routes is not None:
            self.board.put(start.rollout_id, standing)

    def cancel(self, request: CancelRequest) -> dict[str, Disposition]:
        """End what is meant, and say of each id what it was. Its terminal report follows like that of any other."""
        results = {name: self.board.disposition(name) for name in self.board.meant(request)}
        for name, disposition in results.items():
            run = self.by_id.get(name)
            if disposition != "not_found" and run is not None:
                self.cancelled.add(name)
                # Not at once: a task that is cancelled before its first step has no outcome to report.
                asyncio.get_running_loop().call_soon(run.cancel)
        return results

    async def run(self, state: Rollout) -> Outcome:
        state.tally = results.Tally()
        self.say_substitute(state)
        try:
            reason = await self.within_deadline(state)
            return results.completed(state.start, state.history, state.tally, reason, state.extra)
        except RolloutError as error:
            return fail(state, error)
        except Exception as error:
            self.kit.log.error("unexpected", rollout_id=state.start.rollout_id, error=logs.place(error))
            return fail(state, errors.internal())

    async def within_deadline(self, state: Rollout) -> str:
        seconds = self.kit.settings.timeout_s
        try:
            async with asyncio.timeout(seconds) as deadline:
                return str(await self.agent.run(state, self.kit))
        except TimeoutError as error:
            if deadline.expired():
                raise errors.rollout_timeout(seconds) from error
            raise

    def say_substitute(self, state: Rollout) -> None:
        used = self.kit.tokenizers.substitute
        if used is not None and state.start.dialect == "sync":
            state.extra["tokenizer_substituted"] = {"asked": state.start.tokenizer_name, "used": used.name}

    def note(self, start: Start, result: Outcome) -> None:
        self.kit.metrics.ended(start, result)
        self.kit.log.info(
            "rollout_ended",
            rollout_id=start.rollout_id,
            dialect=start.dialect,
            status=result.status,
            finish_reason=result.finish_reason,
            error_category=result.error.category if result.error else None,
            **result.metrics,
        )

    async def stop(self) -> None:
        """Let rollouts end, then end them, then see that the trainers hear of it. Safe to call more than once."""
        self.begin_to_stop()
        assert self._stopped is not None
        await asyncio.shield(self._stopped)

    def begin_to_stop(self) -> None:
        self.stopping = True
        if self._stopped is None:
            self._stopped = asyncio.ensure_future(self._stop())

    async def _stop(self) -> None:
        settings = self.kit.settings
        await asyncio.sleep(0)  # a task that has not begun would be cancelled without an outcome
        await settle(self.tasks(), settings.drain_s)
        for run in list(self.runs):
            run.cancel()
        await settle(self.tasks(), settings.farewell_s)
        for task in self.tasks():
            task.cancel()
        await settle(self.tasks(), None)

    def tasks(self) -> set["asyncio.Task[Any]"]:
        return {*self.runs, *self.reports}


def fail(state: Rollout, error: RolloutError) -> Outcome:
    return results.failed(state.start, state.history, state.tally, error, state.extra)


def agent_budget(start: Start) -> float | None:
    """Seconds from the start request, the time in the queue among them; zero or less is over at once."""
    return start.routes.agent_timeout_s if start.routes is not None else None


def init_reply(start: Start, toolbox: Toolbox) -> dict[str, Any]:
    if start.routes is not None:
        return {"rollout_id": start.rollout_id}
    return {"rollout_id": start.rollout_id, "tools": toolbox.describe()}


async def settle(tasks: Iterable["asyncio.Future[Any]"], seconds: float | None) -> None:
    waiting = set(tasks)
    if waiting:
        await asyncio.wait(waiting, timeout=seconds)
