"""How long processes were ready to run and no CPU was free for them, as Linux counts it for each thread (`/proc/PID/task/TID/schedstat`).

A target that waits for a CPU is slow because of the machine. One that hangs, or that waits for something else, waits for no CPU.
"""

import os
import threading
from collections.abc import Iterator

NS = 1e9
MOST_B = 4096


class CpuWait:
    """What the target's process and everything that it started, or this thread, waited for a CPU since this was made. `pid` is None for a
    target that the suite did not start. Where the system counts nothing of that kind, nothing was waited."""

    def __init__(self, pid: int | None) -> None:
        self._pid = pid
        self._own = f"/proc/self/task/{threading.get_native_id()}"
        self._before = self._waited_ns()

    def seconds(self) -> float:
        """The most that one of the threads waited."""
        waits = (waited - self._before.get(task, 0) for task, waited in self._waited_ns().items())
        return max(waits, default=0) / NS

    def _waited_ns(self) -> dict[str, int]:
        tasks = [self._own, *(_tasks(self._pid) if self._pid is not None else ())]
        fields = {task: _read(f"{task}/schedstat").split() for task in tasks}
        return {task: int(counted[1]) for task, counted in fields.items() if len(counted) > 1}


def _tasks(pid: int | str) -> Iterator[str]:
    """The threads of a process and of its child processes: a command as `npx`, or a server with workers, serves in a child."""
    folder = f"/proc/{pid}/task"
    try:
        threads = os.listdir(folder)  # as text, not `Path`: this is read for every case
    except OSError:  # it has ended, or this is no Linux
        return
    for thread in threads:
        yield f"{folder}/{thread}"
        for child in _read(f"{folder}/{thread}/children").split():
            yield from _tasks(child)


def _read(file: str) -> str:
    try:
        opened = os.open(file, os.O_RDONLY)
    except OSError:
        return ""
    try:
        return os.read(opened, MOST_B).decode("ascii")
    except OSError:  # the thread ended just now
        return ""
    finally:
        os.close(opened)
