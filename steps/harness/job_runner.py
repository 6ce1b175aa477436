"""One job on a worker: its stream is read as it arrives, and becomes a response that the checks of the suite read."""

import asyncio
from collections.abc import Callable, Coroutine
from time import monotonic, time
from typing import TypeVar

import httpx

from rollout_conformance.steps.engine import body_limits, http_client
from rollout_conformance.steps.engine.loop_thread import LoopThread
from rollout_conformance.steps.engine.trace import SILENT, NotJson, parse
from rollout_conformance.steps.profiles.worker.dialects.base import Dialect
from rollout_conformance.steps.profiles.worker.job_reading import events_with_tokens, reading_of, transcript_of
from rollout_conformance.steps.profiles.worker.job_spec import JobSpec
from rollout_conformance.steps.profiles.worker.view import JobResponse
from rollout_conformance.steps.sse.streams import Endless

T = TypeVar("T")

EVENTS_PER_TOKEN = 4
MOST_EVENTS = 200_000  # of a job without a limit
ANSWER_S = 10.0


class JobRunner:
    """Sends one job and reads its stream. `changed` is set after each piece and at the end."""

    def __init__(self, base_url: str, dialect: Dialect, spec: JobSpec, job_s: float) -> None:
        self.base_url, self.dialect, self.spec, self.job_s = base_url, dialect, spec, job_s
        most = EVENTS_PER_TOKEN * spec.max_tokens + EVENTS_PER_TOKEN if spec.max_tokens else MOST_EVENTS
        self.reading, self.changed = reading_of(dialect, dialect.framing, most), asyncio.Event()
        self.began = self.ended = monotonic()
        self.left = self.done = False

    async def run(self) -> JobResponse:
        """The response, also of a stream that broke off: then it has a fault."""
        try:
            async with asyncio.timeout(self.job_s), http_client.client() as client:
                await self._read(client)
        except TimeoutError:
            self.reading.fault = f"{SILENT} {self.job_s:g} s"
        except Endless as error:
            self.reading.fault = str(error)
        except (httpx.HTTPError, OSError) as error:
            self.reading.fault = http_client.transport_fault(error)
        except asyncio.CancelledError:
            if not self.left:
                raise
        self.reading.close()
        self.ended, self.done = monotonic(), True
        self.changed.set()
        return self.response()

    async def _read(self, client: httpx.AsyncClient) -> None:
        path = self.dialect.request_path(self.spec)
        body = self.dialect.body(self.spec)
        extensions = {http_client.COUNTED_BY_READER: self.reading.counts_itself}
        async with client.stream("POST", self.base_url + path, json=body, extensions=extensions) as response:
            self.reading.status, self.reading.headers = response.status_code, http_client.headers(response)
            async for piece in response.aiter_raw():
                self.reading.add(piece, monotonic() - self.began)
                if not await self.reading.fits():
                    raise Endless(body_limits.beyond())
                self.changed.set()

    def response(self) -> JobResponse:
        read = self.reading
        ok = read.status is not None and 200 <= read.status < 300
        transcript = transcript_of(read, self.dialect, self.dialect.framing)
        return JobResponse(
            self.spec.id,
            0,
            {},
            read.status,
            NotJson("it is a stream") if ok else parse(bytes(read.raw)),
            tuple(read.chunks),
            self.left,
            raw=read.body,
            headers=read.headers,
            fault=read.fault,
            elapsed_s=self.ended - self.began,
            spec=self.spec,
            dialect=self.dialect,
            transcript=transcript,
            read_at=time(),
        )

    def tokens(self) -> int:
        return events_with_tokens(self.reading, self.dialect)

    async def until(self, enough: Callable[[], bool]) -> None:
        """Waits until there is enough, or no more will come."""
        while not (self.done or enough()):
            self.changed.clear()
            await self.changed.wait()


class RunningJob:
    """A job that runs while the test does something else. Its methods wait for it, no longer than it may take."""

    def __init__(self, runner: JobRunner, loop: LoopThread, cancel: Callable[[str], int]) -> None:
        self._runner, self._loop, self._cancel = runner, loop, cancel
        self._task: asyncio.Task[JobResponse] = loop.call(self._started())

    async def _started(self) -> "asyncio.Task[JobResponse]":
        return asyncio.create_task(self._runner.run())

    @property
    def id(self) -> str:
        return self._runner.spec.id

    def wait_for_tokens(self, count: int = 1) -> int:
        """Waits for so many events with tokens; returns how many there are, which is fewer if the job has ended."""
        self._call(self._runner.until(lambda: self._runner.tokens() >= count))
        return self._runner.tokens()

    def cancel(self) -> int:
        """Cancels the job by its id; returns the status."""
        return self._cancel(self.id)

    def disconnect(self) -> JobResponse:
        """Closes the connection; returns what was read."""
        return self._call(self._left())

    def result(self) -> JobResponse:
        """The whole response."""
        return self._call(self._finished())

    async def _left(self) -> JobResponse:
        self._runner.left = not self._runner.done
        if self._runner.left:
            self._task.cancel()
        return await self._task

    async def _finished(self) -> JobResponse:
        return await self._task

    def _call(self, work: Coroutine[object, object, T]) -> T:
        return self._loop.call(work, self._runner.job_s + ANSWER_S)
