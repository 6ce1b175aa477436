"""Instances of the reference servers, forked from one process that has imported them: `fork_server`.

Only modules of this package are imported before the environment of an instance is known: none of them reads it then. A user's module may.
"""

import asyncio
import atexit
import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import IO

from rollout_conformance.steps.engine.fork_server import ForkRequest
from rollout_conformance.steps.engine.process import Process
from rollout_conformance.steps.engine.process_guard import GUARD, send

PACKAGE = "rollout_conformance."
CLOSING_S = 2.0
START_S = 60.0  # a fork takes 10 ms, and the first import of a server some seconds on a busy machine
DIED = "the process that forks the instances has ended"


def forkable(module: str) -> bool:
    """On Linux alone: libraries of macOS do not survive a fork, and Windows has none."""
    return sys.platform == "linux" and module.startswith(PACKAGE)


class ForkServerClient:
    """A fork server that has been started. Thread-safe. Raises `OSError` when it cannot be started."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._starts: list[Future[int]] = []
        self._running: dict[int, Process] = {}
        self._codes: dict[int, int] = {}
        self._died = False  # its answers are no longer read
        self.popen = subprocess.Popen(  # noqa: S603 - our own module
            [sys.executable, "-m", f"{PACKAGE}steps.engine.fork_server"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            bufsize=0,
        )
        self._listener = threading.Thread(target=self._listen, name="fork server", daemon=True)
        self._listener.start()
        atexit.register(self.close)

    @property
    def lives(self) -> bool:
        return not self._died and self.popen.poll() is None

    async def start(self, module: str, arguments: Sequence[str], env: Mapping[str, str], output: IO[bytes]) -> Process:
        """Fork, import `module` before if that has not been done, and run uvicorn with `arguments`. Raises `OSError` when the server has died."""
        request: ForkRequest = {
            "module": module,
            "arguments": list(arguments),
            "environment": {**os.environ, **env},
            "folder": str(Path.cwd()),
            "log": output.name,
        }
        pid = asyncio.wrap_future(self._asked(request))
        try:
            async with asyncio.timeout(START_S):
                return self._process(await asyncio.shield(pid))
        except TimeoutError:
            pid.add_done_callback(_killed)
            raise OSError(None, f"the process that forks the instances gave no answer within {START_S:g} s") from None
        except asyncio.CancelledError:
            pid.add_done_callback(_killed)
            raise

    def close(self) -> None:
        """End it, and with it the instances that live."""
        atexit.unregister(self.close)
        assert self.popen.stdin is not None
        with contextlib.suppress(OSError):
            self.popen.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.popen.wait(CLOSING_S)
        self._listener.join(CLOSING_S)

    def _asked(self, request: ForkRequest) -> Future[int]:
        GUARD.ready()
        pid: Future[int] = Future()
        assert self.popen.stdin is not None
        with self._lock:
            if self._died:
                raise OSError(None, DIED)
            self._starts.append(pid)
            self.popen.stdin.write(json.dumps(request).encode() + b"\n")
        return pid

    def _process(self, pid: int) -> Process:
        process = Process(pid)
        with self._lock:
            code = self._codes.pop(pid, None)
            self._running[pid] = process
            died = self._died
        if code is not None:
            self._has_ended(pid, code)
        elif died:
            self._has_died()
        return process

    def _listen(self) -> None:
        assert self.popen.stdout is not None
        with self.popen.stdout as lines:
            for line in lines:
                said = json.loads(line)
                if "pid" in said:
                    GUARD.watch(said["pid"])
                    with self._lock:
                        start = self._starts.pop(0)
                    start.set_result(said["pid"])
                else:
                    self._has_ended(said["ended"], said["code"])
        self._has_died()

    def _has_ended(self, pid: int, code: int) -> None:
        with self._lock:
            process = self._running.pop(pid, None)
            if process is None:
                self._codes[pid] = code
        if process is not None:
            process.has_ended(code)

    def _has_died(self) -> None:
        """Nobody learns any more when its instances end."""
        with self._lock:
            self._died = True
            starts, running = self._starts, self._running
            self._starts, self._running = [], {}
        for start in starts:
            start.set_exception(OSError(None, DIED))
        for process in running.values():
            process.signal(signal.SIGKILL)
            process.has_ended(-signal.SIGKILL)


def _killed(pid: "asyncio.Future[int]") -> None:
    if not pid.cancelled() and pid.exception() is None:
        send(pid.result(), signal.SIGKILL)


class ForkServers:
    """The fork server of this process: started with the first instance, and again where it has died."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._client: ForkServerClient | None = None

    def client(self) -> ForkServerClient:
        with self._lock:
            if self._client is None or not self._client.lives:
                self._client = ForkServerClient()
            return self._client


FORK_SERVERS = ForkServers()
