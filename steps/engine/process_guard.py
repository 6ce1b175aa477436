"""Started processes end with the suite, whatever ends it, SIGKILL included.

A small process of its own is told over a pipe which process groups live. When the pipe closes, because the suite has ended or was killed,
it kills those that are left. It starts with the first process that is to be guarded.
"""

import atexit
import contextlib
import os
import signal
import subprocess
import sys
import threading

CLOSING_S = 2.0
SCRIPT = """
import os, signal, sys
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    signal.signal(number, signal.SIG_IGN)
living = set()
for line in sys.stdin:
    (living.add if line[0] == "+" else living.discard)(int(line[1:]))
for group in living:
    try:
        os.killpg(group, signal.SIGKILL)
    except OSError:
        pass
"""


class ProcessGuard:
    """The process groups that the suite started and that have not been ended yet."""

    def __init__(self) -> None:
        self.groups: set[int] = set()
        self.process: subprocess.Popen[bytes] | None = None
        self.lock = threading.Lock()

    def watch(self, group: int) -> None:
        self.groups.add(group)
        self._tell(f"+{group}\n")

    def release(self, group: int) -> None:
        """It has ended. Its number may soon be that of another one."""
        self.groups.discard(group)
        self._tell(f"-{group}\n")

    def signal_all(self, number: int) -> None:
        for group in list(self.groups):
            send(group, number)

    def ready(self) -> None:
        """Start the guard, so that a process that starts next is told to it at once."""
        with self.lock:
            if self.process is None:
                self.process = self._started()
                atexit.register(self.close)

    def close(self) -> None:
        """Kill what is left, and end the guard."""
        self.signal_all(signal.SIGKILL)
        free = self.lock.acquire(timeout=CLOSING_S)  # the end of the process waits for no lock for ever
        process, self.process = self.process, None
        if free:
            self.lock.release()
        if process is None or process.stdin is None:
            return
        with contextlib.suppress(OSError):
            process.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(CLOSING_S)

    def _started(self) -> "subprocess.Popen[bytes] | None":
        try:
            return subprocess.Popen(  # noqa: S603 - our own script
                [sys.executable, "-I", "-S", "-c", SCRIPT],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
                cwd="/",
                bufsize=0,
            )
        except OSError:
            return None

    def _tell(self, line: str) -> None:
        self.ready()
        with self.lock, contextlib.suppress(OSError):  # a guard that was killed is no reason to stop judging
            if self.process is not None and self.process.stdin is not None:
                self.process.stdin.write(line.encode())


def send(group: int, number: int) -> None:
    """Send a signal to a process group; one that has ended is left alone."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


GUARD = ProcessGuard()
