"""How long processes were ready to run and no CPU was free for them, as Linux counts it for each thread (`/proc/PID/task/TID/schedstat`).

A target that waits for a CPU is slow because of the machine. One that hangs, or that waits for something else, waits for no CPU.
"""

import os
from collections.abc import Iterator
from pathlib import Path

NS = 1e9


class CpuWait:
    """What a process, everything that it started, and the suite itself waited for a CPU since this was made. `pid` is None for a target
    that the suite did not start. Where the system counts nothing of that kind, nothing was waited."""

    def __init__(self, pid: int | None) -> None:
        self._pids = [os.getpid(), *([] if pid is None else [pid])]
        self._before = [_waited_ns(pid) for pid in self._pids]

    def seconds(self) -> float:
        """The most that one of them waited: the longest wait of one thread in the suite, in the target and in each of its children."""
        now = [_waited_ns(pid) for pid in self._pids]
        waits = (
            waited - before.get(thread, 0)
            for before, threads in zip(self._before, now, strict=True)
            for thread, waited in threads.items()
        )
        return max(waits, default=0) / NS


def _waited_ns(pid: int) -> dict[str, int]:
    """By thread, those of child processes included: a command as `npx` or a server with workers serves in a child."""
    return {
        str(task): int(fields[1])
        for process in _processes(Path("/proc") / str(pid))
        for task in _tasks(process)
        if len(fields := _read(task / "schedstat").split()) > 1
    }


def _processes(process: Path) -> Iterator[Path]:
    yield process
    if process.name == str(os.getpid()):  # its children are the targets
        return
    for task in _tasks(process):
        for child in _read(task / "children").split():
            yield from _processes(process.parent / child)


def _tasks(process: Path) -> list[Path]:
    try:
        return list((process / "task").iterdir())
    except OSError:  # it has ended, or this is no Linux
        return []


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="ascii")
    except OSError:
        return ""
