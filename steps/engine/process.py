"""A process that the suite starts: the leader of a group of its own, known to the guard from the first moment."""

import asyncio
import contextlib
import os
import signal
import subprocess
import threading
from collections.abc import Mapping, Sequence
from typing import IO

from rollout_conformance.steps.engine.process_guard import GUARD, send


class Process:
    """Made on the event loop that waits for it. `returncode` is None while it runs, and the negative number of a signal that ended it."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._loop, self._ended = asyncio.get_running_loop(), asyncio.Event()

    @classmethod
    def start(cls, words: Sequence[str], env: Mapping[str, str], output: IO[bytes]) -> "Process":
        """Raises `OSError` when there is no such program. Nothing is awaited between the start and the guard's knowledge of it."""
        GUARD.ready()
        popen = subprocess.Popen(  # noqa: S603 - what the user names as the target
            words,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            env={**os.environ, **env},
        )
        GUARD.watch(popen.pid)
        process = cls(popen.pid)
        threading.Thread(
            target=lambda: process.has_ended(popen.wait()), name=f"process {popen.pid}", daemon=True
        ).start()
        return process

    async def wait(self) -> None:
        await self._ended.wait()

    def signal(self, number: int) -> None:
        """Send a signal to the whole group."""
        send(self.pid, number)

    async def kill(self) -> None:
        """End the group at once, also what its leader left behind."""
        self.signal(signal.SIGKILL)
        await self.wait()
        GUARD.release(self.pid)

    def has_ended(self, code: int) -> None:
        """Called on the thread that waited for it."""
        self.returncode = code
        with contextlib.suppress(RuntimeError):  # the loop has been closed: no task waits any more
            self._loop.call_soon_threadsafe(self._ended.set)
