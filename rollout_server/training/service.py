"""The server's work: requests are stored, run in their order, and finished in one transaction each."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from rollout_conformance.rollout_server.common import logs
from rollout_conformance.rollout_server.training import base_model, command_log, errors
from rollout_conformance.rollout_server.training.checkpoints import Checkpoints, Path
from rollout_conformance.rollout_server.training.command_log import COMPLETED, FAILED, PENDING, Command, CommandLog
from rollout_conformance.rollout_server.training.database import Database, Row
from rollout_conformance.rollout_server.training.errors import UserError
from rollout_conformance.rollout_server.training.lane import Lane
from rollout_conformance.rollout_server.training.metrics import Metrics
from rollout_conformance.rollout_server.training.model_store import ModelStore
from rollout_conformance.rollout_server.training.sampling import Decode
from rollout_conformance.rollout_server.training.settings import Settings
from rollout_conformance.rollout_server.training.works import Context, Done, Save, Work, is_brief

INTERNAL = "Internal server error"
SLICE_S = 0.05  # the wait for a missing number is counted in these, so that a busy server, which is late to read requests, waits longer


@dataclass(slots=True)
class Job:
    """A request that waits or runs. `model` None: it has no order, and no state."""

    command: Command
    work: Work
    model: str | None
    base: str
    ended: asyncio.Event = field(default_factory=asyncio.Event)


class Service:
    def __init__(
        self,
        settings: Settings,
        database: Database,
        models: ModelStore,
        checkpoints: Checkpoints,
        metrics: Metrics,
        decode: Decode,
        log: Any,
    ) -> None:
        self.settings = settings
        self.database = database
        self.models = models
        self.checkpoints = checkpoints
        self.metrics = metrics
        self.commands = CommandLog(database)
        self._decode = decode
        self._log = log
        self._jobs: dict[str, Job] = {}
        self._lanes: dict[str, Lane] = {}
        self._arrivals: dict[str, asyncio.Event] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        metrics.gauge("training_waiting", "Commands that wait or run", lambda: len(self._jobs))
        metrics.gauge("training_models", "Models that are alive", models.count_all)
        metrics.gauge("training_checkpoints", "Checkpoints that are kept", checkpoints.count)

    # submitting

    def submit(self, command: Command, work: Work, *, model: str | None, base: str) -> str:
        """Store the request and let it run in its turn. Returns its id. Raises `UserError` 400, 409, 429."""
        if known := self.commands.earlier(command):
            return known
        lane = self.lane(model) if model else None
        if lane is not None:
            self._check_lane(lane, command)
        with self.database.transaction():
            request_id = self.commands.add(command)
            if isinstance(work, Save):
                self.checkpoints.reserve(work.path, request_id, overwrite=bool(command.payload.get("overwrite")))
        self._enqueue(request_id, Job(command, work, model, base))
        return request_id

    def _check_lane(self, lane: Lane, command: Command) -> None:
        if command.seq is not None and not lane.accepts(command.seq):
            raise errors.invalid(f"seq_id {command.seq} comes after {lane.last} has run")
        if len(lane.waiting) >= self.settings.max_pending:
            raise errors.limited("Too many requests of this model wait")

    def finished(self, command: Command, make: Callable[[], dict[str, Any]]) -> str:
        """A request that is done at once: `make` changes the database and gives the result, all in one transaction."""
        if known := self.commands.earlier(command):
            return known
        with self.database.transaction():
            request_id = self.commands.add(command)
            self.commands.finish(request_id, COMPLETED, 200, make())
        self.metrics.command(command.kind, COMPLETED)
        return request_id

    def _enqueue(self, request_id: str, job: Job) -> None:
        self._jobs[request_id] = job
        if job.model is None:
            self._start(request_id, self._run_alone(request_id))
            return
        self.lane(job.model).add(request_id, job.command.seq)
        self._wake(job.model)

    def lane(self, model: str) -> Lane:
        if model not in self._lanes:
            last = self.commands.last_number(model)
            self._lanes[model] = Lane(self.settings.order_wait_s, last)
        return self._lanes[model]

    def spend(self, model: str, seq: int) -> None:
        """A request with this number was refused: those after it need not wait for it."""
        self.lane(model).spend(seq)
        self._wake(model)

    def _wake(self, model: str) -> None:
        self._arrivals.setdefault(model, asyncio.Event()).set()
        if model not in self._tasks:
            self._start(model, self._run_lane(model))

    def _start(self, name: str, work: Any) -> None:
        task = asyncio.create_task(work)
        self._tasks[name] = task
        task.add_done_callback(lambda ended: self._forget(name, ended))

    def _forget(self, name: str, ended: "asyncio.Task[None]") -> None:
        if self._tasks.get(name) is ended:
            del self._tasks[name]

    # running

    async def _run_lane(self, model: str) -> None:
        """Until nothing waits."""
        lane, arrival = self.lane(model), self._arrivals[model]
        while (delay := lane.delay()) is not None:
            if delay > 0:
                arrival.clear()
                pause = min(delay, SLICE_S)
                lane.waited += 0.0 if await until(arrival, pause) else pause
            else:
                await self._run(lane.take(), model)
        self._tasks.pop(model, None)

    async def _run_alone(self, request_id: str) -> None:
        await self._run(request_id, None)

    async def _run(self, request_id: str, model: str | None) -> None:
        job, started = self._jobs[request_id], time.perf_counter()
        try:
            done = await self._compute(job, model)
            self._commit(request_id, job, model, done)
        except UserError as error:
            self._fail(request_id, job, error.status, errors.envelope(error.message))
        except Exception as error:
            self._log.error("unexpected", request_id=request_id, error=logs.location(error))
            self._fail(request_id, job, 500, errors.envelope(INTERNAL, errors.SERVER))
        finally:
            self.metrics.ran(job.command.kind, time.perf_counter() - started)
            self._end(request_id, job)

    async def _compute(self, job: Job, model: str | None) -> Done:
        state = self.models.state(model) if model else None
        if model and state is None:
            raise errors.gone("The model has been unloaded")
        run = job.work.prepare(self.context(job.command.user, model or "", job.base))
        return run(state) if is_brief(job.work, state) else await asyncio.to_thread(run, state)

    def context(self, user: str, model: str, base: str) -> Context:
        loaded = base_model.load(base)
        return Context(self.database, self.checkpoints, self._decode, user, model, loaded)

    def _commit(self, request_id: str, job: Job, model: str | None, done: Done) -> None:
        """The new state, what belongs to it, and the result: all of them or, when the process dies before, none."""
        with self.database.transaction():
            before = self.models.state(model) if model else None
            if model and done.state is not None and done.state is not before:
                self.models.write(model, before, done.state)
            done.commit()
            self.commands.finish(request_id, COMPLETED, 200, done.result)
        if model and done.state is not None:
            self.models.adopt(model, done.state)
        elif model:
            self.models.forget(model)
        self.metrics.command(job.command.kind, COMPLETED)

    def _fail(self, request_id: str, job: Job, code: int, body: dict[str, Any]) -> None:
        self.commands.finish(request_id, FAILED, code, body)
        self.metrics.command(job.command.kind, FAILED)

    def _end(self, request_id: str, job: Job) -> None:
        if isinstance(job.work, Save):
            self.checkpoints.release(job.work.path, request_id)
        job.ended.set()
        self._jobs.pop(request_id, None)

    def will_exist(self, user: str, path: Path) -> bool:
        """Whether a request of this user that waits will save it."""
        job = self._jobs.get(self.checkpoints.reserved.get(path, ""))
        return job is not None and job.command.user == user

    # results

    async def result(self, user: str, request_id: str, wait_s: float) -> Row:
        """The finished request, or the pending one when `wait_s` has passed. Raises `UserError` 404, 410."""
        row = self.commands.find(user, request_id)
        job = self._jobs.get(request_id)
        if row["status"] != PENDING or job is None:
            return row
        await until(job.ended, wait_s)
        return self.commands.find(user, request_id)

    def end_session(self, user: str, session: str) -> None:
        """What waits of its models fails, as their states are gone. Raises `UserError` 404."""
        self.models.end_session(user, session)
        self.checkpoints.remove_samplers(session)

    def cancel(self, user: str, request_id: str) -> bool:
        """Whether it will not run. What has begun is finished. Raises `UserError` 404."""
        row = self.commands.find(user, request_id)
        job = self._jobs.get(request_id)
        if row["status"] == command_log.CANCELLED:
            return True
        if job is None or job.model is None or not self.lane(job.model).remove(request_id):
            return False
        self.commands.finish(request_id, command_log.CANCELLED, 409, errors.envelope("The request was cancelled"))
        self._end(request_id, job)
        return True

    # starting and stopping

    def recover(self, build: Callable[[Row], Job]) -> None:
        """Requests that were accepted before the process died run now."""
        for row in self.commands.pending():
            try:
                job = build(row)
            except UserError as error:
                self.commands.finish(row["id"], FAILED, error.status, errors.envelope(error.message))
                continue
            if isinstance(job.work, Save):
                self.checkpoints.reserved[job.work.path] = row["id"]
            self._enqueue(row["id"], job)

    async def stop(self, within_s: float) -> None:
        tasks = list(self._tasks.values())
        if tasks:
            await asyncio.wait(tasks, timeout=within_s)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def until(event: asyncio.Event, seconds: float) -> bool:
    """Whether it came in time."""
    try:
        await asyncio.wait_for(event.wait(), seconds)
    except TimeoutError:
        return False
    return True
