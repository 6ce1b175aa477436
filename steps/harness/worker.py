"""A worker as a process of its own: started, waited for, used, and ended."""

import contextlib
import os
import shlex
import signal
import sys
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx

from rollout_conformance.steps.engine import http_client
from rollout_conformance.steps.engine.lenient_json import JsonObject, mapping
from rollout_conformance.steps.engine.loop_thread import LoopThread
from rollout_conformance.steps.engine.targets import StartError, Target, running
from rollout_conformance.steps.engine.trace import parse
from rollout_conformance.steps.harness import errors
from rollout_conformance.steps.harness.job_runner import ANSWER_S, JobRunner, RunningJob
from rollout_conformance.steps.harness.settings import DEFAULT, Config
from rollout_conformance.steps.paths import TOKENIZER
from rollout_conformance.steps.peers.tokens import load
from rollout_conformance.steps.profiles.serving import SERVER
from rollout_conformance.steps.profiles.worker.dialects import DIALECTS
from rollout_conformance.steps.profiles.worker.job_spec import JobSpec
from rollout_conformance.steps.profiles.worker.view import JobResponse

REFERENCE = (sys.executable, "-m", f"{SERVER}.worker", "--port", "{port}")
STUB = "--stub"
CLOSE_S = 40.0  # SIGTERM, the grace of a target, SIGKILL


@dataclass(frozen=True, slots=True)
class Health:
    """A response of the health check. `is_healthy` is what its status says."""

    status: int
    body: Mapping[str, Any]

    @property
    def is_healthy(self) -> bool:
        return 200 <= self.status < 300


def _words(command: Sequence[str] | str) -> tuple[str, ...]:
    """Raises `ValueError` where no word has a place for the port."""
    words = tuple(shlex.split(command) if isinstance(command, str) else command)
    if not any("{port}" in word for word in words):
        raise ValueError(
            f"command: {shlex.join(words) or 'it is empty'}: one of its words needs {{port}}, where the worker listens"
        )
    return words


class Worker:
    """Use as a context manager, or end it with `close`. It is for one thread at a time."""

    def __init__(
        self, command: Sequence[str] | str, environment: Mapping[str, str], config: Config, dialect: str
    ) -> None:
        if dialect not in DIALECTS:
            raise ValueError(f"dialect: {dialect!r} is none of {', '.join(DIALECTS)}")
        self.command, self.environment, self.config = _words(command), dict(environment), config
        self.dialect = DIALECTS[dialect]
        self._loop = LoopThread()
        self._loop.__enter__()
        self._stack = AsyncExitStack()
        self._target: Target | None = None
        self._numbers, self._session = count(1), uuid4().hex[:8]

    @classmethod
    def start(
        cls,
        *,
        stub: bool = False,
        config: Config = DEFAULT,
        command: Sequence[str] | str | None = None,
        environment: Mapping[str, str] | None = None,
        dialect: str = "orcd",
    ) -> "Worker":
        """The reference worker, or another `command` with {port} among its words, when its health check succeeds. A command that is one
        text is divided as a shell does it.

        Raises `WorkerNotStartedError`, `WorkerNotReadyError` or `WorkerDiedError`; `ValueError` for a command without {port} and for an unknown
        dialect.
        """
        words = command if command is not None else (*REFERENCE, *([STUB] if stub else []))
        worker = cls(words, environment or {}, config, dialect)
        try:
            worker._open()
        except BaseException:
            worker.close()
            raise
        return worker

    def _open(self) -> None:
        self._target = self._loop.call(self._started(), self.config.ready_s + CLOSE_S)

    async def _started(self) -> Target:
        spec = f"cmd:{shlex.join(self.command)}"
        ready_s = self.config.ready_s
        try:
            target = running(spec, self.environment, ready_s, is_ready=lambda status: 200 <= status < 300)
            return await self._stack.enter_async_context(target)
        except StartError as error:
            raise errors.of_start(error, ready_s) from error

    def __enter__(self) -> "Worker":
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends the process and all that it started. A second time it does nothing."""
        if self._loop.loop.is_closed():
            return
        if self._target is not None:
            self.resume()  # a process that stands still does not read its SIGTERM
        try:
            self._loop.call(self._stack.aclose(), CLOSE_S)
        finally:
            self._loop.__exit__()

    def restart(self) -> None:
        """Ends the process and starts it again, with another port."""
        self.resume()
        self._loop.call(self._stack.aclose(), CLOSE_S)
        self._open()

    @property
    def target(self) -> Target:
        assert self._target is not None
        return self._target

    @property
    def base_url(self) -> str:
        return self.target.base_url

    @property
    def port(self) -> int:
        return int(self.base_url.rpartition(":")[2])

    @property
    def pid(self) -> int:
        assert self.target.process is not None
        return self.target.process.pid

    @property
    def log(self) -> str:
        """All that the process has written."""
        return self.target.log()

    def execute(self, prompt: str = "Hello!", **members: Any) -> JobResponse:
        """Runs a job to its end. `members` are those of `begin`."""
        return self.begin(prompt, **members).result()

    def begin(
        self,
        prompt: str = "Hello!",
        *,
        id: str | None = None,
        max_tokens: int | None = None,
        temperature: float | None = 0.7,
        seed: int | None = 42,
        stop: Sequence[str] = (),
        body: JsonObject | None = None,
    ) -> RunningJob:
        """Starts a job, and returns while it runs. `body` are members as they are on the wire. Raises `WorkerDiedError`."""
        self.require_alive()
        takes_ids = self.dialect.takes_ids
        spec = JobSpec(
            id or f"job-{self._session}-{next(self._numbers)}",
            prompt,
            tuple(load(TOKENIZER).encode(prompt)) if takes_ids else (),
            max_tokens=self.config.max_tokens if max_tokens is None else max_tokens,
            temperature=temperature,
            seed=seed,
            stop=tuple(stop),
            more=body or {},
        )
        return RunningJob(self._runner(spec), self._loop, self.cancel)

    def _runner(self, spec: JobSpec) -> JobRunner:
        return JobRunner(self.base_url, self.dialect, spec, self.config.job_s)

    def cancel(self, id: str) -> int:
        """Cancels a job by its id; returns the status. Raises `ValueError` where jobs of the dialect have no ids."""
        if self.dialect.cancel is None:
            raise ValueError(f"jobs of the dialect {self.dialect.name} have no ids; disconnect instead")
        path, body = self.dialect.cancel(id)
        return self.request("POST", path, body).status_code

    def health(self) -> Health:
        response = self.request("GET", "/health")
        return Health(response.status_code, mapping(parse(response.content)))

    def request(self, method: str, path: str, body: Any = None) -> httpx.Response:
        """Any request. Raises `WorkerDiedError`, or what httpx raises."""
        self.require_alive()
        return self._loop.call(self._requested(method, path, body), ANSWER_S * 2)

    async def _requested(self, method: str, path: str, body: Any) -> httpx.Response:
        async with http_client.client() as client:
            content = {} if body is None else {"json": body}
            return await client.request(method, self.base_url + path, timeout=ANSWER_S, **content)

    def require_alive(self) -> None:
        if self._loop.loop.is_closed():
            raise errors.closed(self.command, self.log)
        process = self.target.process
        if process is not None and process.returncode is not None:
            words = [word.replace("{port}", str(self.port)) for word in self.command]
            raise errors.died(words, self.log, f"with code {process.returncode}")

    def signal(self, number: int) -> None:
        """Sends a signal to the process and all that it started."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, number)

    def kill(self) -> None:
        """SIGKILL; returns when the process has ended."""
        self.signal(signal.SIGKILL)
        self.wait()

    def pause(self) -> None:
        """SIGSTOP: the worker stands still until `resume`."""
        self.signal(signal.SIGSTOP)

    def resume(self) -> None:
        self.signal(signal.SIGCONT)

    def wait(self, timeout_s: float = CLOSE_S) -> int | None:
        """Waits until the process has ended; returns its exit code. Raises `TimeoutError`."""
        process = self.target.process
        assert process is not None
        self._loop.call(process.wait(), timeout_s)
        return process.returncode

    def memory_bytes(self) -> int | None:
        """The resident memory of the process; None where the system does not tell."""
        with contextlib.suppress(OSError, ValueError, IndexError):
            pages = int(Path(f"/proc/{self.pid}/statm").read_text("ascii").split()[1])
            return pages * os.sysconf("SC_PAGE_SIZE")
        return None
