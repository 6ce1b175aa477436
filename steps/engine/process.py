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
    """Started by `start`, on the event loop that waits for it."""

    def __init__(self, popen: "subprocess.Popen[bytes]") -> None:
        self.popen, self.pid = popen, popen.pid
        self.loop, self.ended = asyncio.get_running_loop(), asyncio.Event()
        threading.Thread(target=self._await_end, name=f"process {self.pid}", daemon=True).start()

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
        return cls(popen)

    @property
    def returncode(self) -> int | None:
        return self.popen.returncode

    async def wait(self) -> None:
        await self.ended.wait()

    def signal(self, number: int) -> None:
        """Send a signal to the whole group."""
        send(self.pid, number)

    async def kill(self) -> None:
        """End the group at once, also what its leader left behind."""
        self.signal(signal.SIGKILL)
        await self.wait()
        GUARD.release(self.pid)

    def _await_end(self) -> None:
        self.popen.wait()
        with contextlib.suppress(RuntimeError):  # the loop has been closed: nobody waits any more
            self.loop.call_soon_threadsafe(self.ended.set)
