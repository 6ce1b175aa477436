"""The life of a rollout: admitted, run, ended, reported; and shutdown, which ends those that still run."""

import asyncio
import contextlib
import time
from collections.abc import Iterable
from types import ModuleType
from typing import Any

from rollout_conformance.contracts.rollout.wire_routed import CancelRequest, Disposition
from rollout_conformance.rollout_server.common import logs
from rollout_conformance.rollout_server.common.workers.group import Group
from rollout_conformance.rollout_server.rollout import (
    concurrency,
    delivery,
    errors,
    leased_dialect,
    results,
    rollout_state,
    routed_dialect,
)
from rollout_conformance.rollout_server.rollout.app_state import AppState
from rollout_conformance.rollout_server.rollout.errors import RolloutError
from rollout_conformance.rollout_server.rollout.idempotency import Claims, ConflictError, IdempotencyStore
from rollout_conformance.rollout_server.rollout.lease_store import Lease, LeaseStore
from rollout_conformance.rollout_server.rollout.results import Result
from rollout_conformance.rollout_server.rollout.rollout_state import RolloutState
from rollout_conformance.rollout_server.rollout.settings import Settings
from rollout_conformance.rollout_server.rollout.start_request import StartRequest
from rollout_conformance.rollout_server.rollout.status_store import Status, StatusStore
from rollout_conformance.rollout_server.rollout.tools import Toolbox


class ShuttingDownError(Exception):
    """The server is shutting down and accepts no rollout."""


class Service:
    def __init__(self, app_state: AppState, agent: ModuleType, group: Group | None = None) -> None:
        self.app_state = app_state
        self.agent = agent
        self.group = group
        self.slots, claims = slots_and_claims(app_state.settings, group)
        self.idempotency = IdempotencyStore(app_state.settings.record_ttl_s, app_state.settings.max_records, claims)
        self.runs: set[asyncio.Task[Result]] = set()
        self.reports: set[asyncio.Task[None]] = set()
        self.statuses = StatusStore(app_state.settings.max_records)
        self.leases = LeaseStore(
            app_state.settings.lease_s, app_state.settings.record_ttl_s, app_state.settings.max_records
        )
        self.by_id: dict[str, asyncio.Task[Result]] = {}  # routed and leased rollouts, which can be cancelled
        self.cancelled: set[str] = set()
        self.expired: set[str] = set()
        self.stopping = False
        self._stopped: asyncio.Task[None] | None = None

    def new_id(self) -> str:
        """The id of a rollout that was started without one. Where the server is several processes it is one of this process."""
        while True:
            name = routed_dialect.random_id()
            if self.group is None or self.group.is_own(name):
                return name

    @property
    def active(self) -> int:
        """Rollouts that are accepted and have not ended."""
        return len(self.runs)

    def launch(self, start: StartRequest) -> "asyncio.Task[Result]":
        """Admit a rollout and start it. The task never raises; it is cancelled or has a result."""
        if self.stopping:
            raise ShuttingDownError
        self.slots.admit()
        self.app_state.metrics.started(start)
        self.app_state.log.info("rollout_started", rollout_id=start.rollout_id, dialect=start.dialect)
        self.set_status(start, "queued")
        run = asyncio.ensure_future(self.run_to_result(start))
        self.runs.add(run)
        run.add_done_callback(self.runs.discard)
        return run

    def run_sync(self, start: StartRequest) -> "asyncio.Task[Result]":
        run = self.launch(start)
        run.add_done_callback(lambda _: self.slots.leave())
        return run

    def accept(self, start: StartRequest) -> dict[str, Any]:
        """The body of the 202; for a repeated start the same body again."""
        known = self.idempotency.find(start, time.monotonic())
        if known is not None:
            return known.reply
        try:
            run = self.launch(start)
        except Exception:
            self.idempotency.release(start)
            raise
        if start.routes is not None:
            self.by_id[start.rollout_id] = run
            run.add_done_callback(lambda _: self.by_id.pop(start.rollout_id, None))
        reply = init_reply(start, self.app_state.toolbox)
        self.idempotency.add(start, reply)
        report = asyncio.ensure_future(self.report(start, run))
        self.reports.add(report)
        report.add_done_callback(self.reports.discard)
        return reply

    def accept_leased(self, start: StartRequest) -> dict[str, Any]:
        """The body of the 202, with the lease. Raises `ConflictError` for an id that is in use or remembered."""
        now = time.monotonic()
        self.leases.prune(now)
        if self.leases.get(start.rollout_id) is not None:
            raise ConflictError("This rollout id is in use.")
        lease = self.leases.open(start.rollout_id, now)
        try:
            run = self.launch(start)
        except Exception:
            self.leases.discard(start.rollout_id)
            raise
        self.by_id[start.rollout_id] = run
        run.add_done_callback(lambda _: self.by_id.pop(start.rollout_id, None))
        for task in (self.keep_result(start, run), self.watch_lease(start, lease, run)):
            watching = asyncio.ensure_future(task)
            self.reports.add(watching)
            watching.add_done_callback(self.reports.discard)
        settings = self.app_state.settings
        return leased_dialect.lease_body(start, lease.token, settings.result_wait_s, settings.lease_s)

    async def keep_result(self, start: StartRequest, run: "asyncio.Task[Result]") -> None:
        try:
            result = await run
            self.leases.finish(start.rollout_id, leased_dialect.result_body(start, result), time.monotonic())
            self.set_status(start, routed_dialect.status_of(result))
        finally:
            self.cancelled.discard(start.rollout_id)
            self.expired.discard(start.rollout_id)
            self.slots.leave()

    async def watch_lease(self, start: StartRequest, lease: Lease, run: "asyncio.Task[Result]") -> None:
        """Cancel the rollout when its lease expires."""
        while not run.done():
            await wait_for({run}, max(0.0, lease.expires - time.monotonic()))
            if not run.done() and lease.is_expired(time.monotonic()):
                self.expired.add(start.rollout_id)
                run.cancel()
                return

    async def result(self, lease: Lease) -> dict[str, Any]:
        """The result of a leased rollout, or its status when nothing has changed for a while. Asking for it renews the lease."""
        self.leases.renew(lease, time.monotonic())
        if lease.result is None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self.app_state.settings.result_wait_s):
                    await lease.changed.wait()
            self.leases.renew(lease, time.monotonic())
        return dict(lease.result) if lease.result is not None else {"status": lease.status}

    async def report(self, start: StartRequest, run: "asyncio.Task[Result]") -> None:
        """The rollout counts as admitted until its report has ended: undelivered results must not accumulate without limit."""
        try:
            result = await run
            if start.routes is not None:
                self.set_status(
                    start, "grading" if routed_dialect.grade(start, result) else routed_dialect.status_of(result)
                )
            await delivery.deliver(start, result, self.app_state)
            self.set_status(start, routed_dialect.status_of(result))
        finally:
            self.cancelled.discard(start.rollout_id)
            self.idempotency.finish(start.rollout_id, time.monotonic())
            self.slots.leave()

    async def run_to_result(self, start: StartRequest) -> Result:
        """Run one rollout. It has exactly one result, whatever happens."""
        state = rollout_state.new_state(start)
        limit_s = agent_time_limit(start)
        if limit_s is not None and limit_s <= 0:
            result = fail(state, errors.rollout_timeout(limit_s))
            self.log_end(start, result)
            return result
        arrived = time.perf_counter()
        try:
            async with asyncio.timeout(limit_s) as deadline, self.slots.slot():
                self.app_state.metrics.queued(time.perf_counter() - arrived)
                self.set_status(start, "running")
                result = await self.run(state)
        except TimeoutError:
            assert deadline.expired()
            result = fail(state, errors.rollout_timeout(limit_s or 0.0))
        except asyncio.CancelledError:
            if start.rollout_id in self.cancelled:
                self.cancelled.discard(start.rollout_id)
                result = fail(state, errors.cancelled())
            elif start.rollout_id in self.expired:
                result = fail(state, errors.lease_expired())
            elif self.stopping:
                result = fail(state, errors.shutdown())
            else:
                raise  # the client has disconnected; the result would not be read
        self.log_end(start, result)
        return result

    def set_status(self, start: StartRequest, status: Status) -> None:
        if start.routes is not None:
            self.statuses.set(start.rollout_id, status)
        lease = self.leases.get(start.rollout_id) if start.dialect == "leased" else None
        if lease is not None:
            lease.set_status(status)

    def cancel(self, request: CancelRequest) -> dict[str, Disposition]:
        """Cancel the rollouts that the request selects, and return what each was. Their reports follow as those of any other."""
        dispositions = {name: self.statuses.disposition(name) for name in self.statuses.matching(request)}
        for name, disposition in dispositions.items():
            run = self.by_id.get(name)
            if disposition != "not_found" and run is not None:
                self.cancelled.add(name)
                # Not immediately: a task that is cancelled before its first step has no result to report.
                asyncio.get_running_loop().call_soon(run.cancel)
        return dispositions

    async def run(self, state: RolloutState) -> Result:
        state.counters = results.Counters()
        self.report_substituted_tokenizer(state)
        try:
            reason = await self.within_deadline(state)
            return results.completed(state.start, state.history, state.counters, reason, state.extra)
        except RolloutError as error:
            return fail(state, error)
        except Exception as error:
            self.app_state.log.error("unexpected", rollout_id=state.start.rollout_id, error=logs.location(error))
            return fail(state, errors.internal())

    async def within_deadline(self, state: RolloutState) -> str:
        seconds = self.app_state.settings.timeout_s
        try:
            async with asyncio.timeout(seconds) as deadline:
                return str(await self.agent.run(state, self.app_state))
        except TimeoutError as error:
            if deadline.expired():
                raise errors.rollout_timeout(seconds) from error
            raise

    def report_substituted_tokenizer(self, state: RolloutState) -> None:
        used = self.app_state.tokenizers.substitute
        if used is not None and state.start.dialect == "sync":
            state.extra["tokenizer_substituted"] = {"asked": state.start.tokenizer_name, "used": used.name}

    def log_end(self, start: StartRequest, result: Result) -> None:
        self.app_state.metrics.ended(start, result)
        self.app_state.log.info(
            "rollout_ended",
            rollout_id=start.rollout_id,
            dialect=start.dialect,
            status=result.status,
            finish_reason=result.finish_reason,
            error_category=result.error.category if result.error else None,
            **result.metrics,
        )

    async def stop(self) -> None:
        """Wait for running rollouts, cancel the rest, and wait until the results are delivered. May be called more than once."""
        self.begin_to_stop()
        assert self._stopped is not None
        await asyncio.shield(self._stopped)

    def begin_to_stop(self) -> None:
        self.stopping = True
        if self._stopped is None:
            self._stopped = asyncio.ensure_future(self._stop())

    async def _stop(self) -> None:
        settings = self.app_state.settings
        await asyncio.sleep(0)  # a task that has not begun would be cancelled without a result
        await wait_for(self.tasks(), settings.drain_s)
        for run in list(self.runs):
            run.cancel()
        await wait_for(self.tasks(), settings.farewell_s)
        for task in self.tasks():
            task.cancel()
        await wait_for(self.tasks(), None)

    def tasks(self) -> set["asyncio.Task[Any]"]:
        return {*self.runs, *self.reports}


def slots_and_claims(settings: Settings, group: Group | None) -> tuple[concurrency.Slots, Claims | None]:
    """The limits and the idempotency keys of this process, or those of all processes of the group."""
    if group is None:
        return concurrency.Slots(settings.max_concurrent, settings.max_queued), None
    from rollout_conformance.rollout_server.rollout import shared  # not on systems without processes that fork

    return shared.slots_and_claims(settings, group)


def fail(state: RolloutState, error: RolloutError) -> Result:
    return results.failed(state.start, state.history, state.counters, error, state.extra)


def agent_time_limit(start: StartRequest) -> float | None:
    """Seconds from the start request, the time in the queue included; zero or less ends the rollout immediately."""
    return start.routes.agent_timeout_s if start.routes is not None else None


def init_reply(start: StartRequest, toolbox: Toolbox) -> dict[str, Any]:
    if start.routes is not None:
        return {"rollout_id": start.rollout_id}
    return {"rollout_id": start.rollout_id, "tools": toolbox.describe()}


async def wait_for(tasks: Iterable["asyncio.Future[Any]"], seconds: float | None) -> None:
    waiting = set(tasks)
    if waiting:
        await asyncio.wait(waiting, timeout=seconds)
