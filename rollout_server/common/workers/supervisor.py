"""Starts the processes of a group, starts one that ended again, and ends all at a signal.

The processes are forked from one that has imported everything and runs no event loop or thread. It keeps all sockets open, so
that what connects while a process is started again waits instead of being refused.
"""

import contextlib
import ctypes
import os
import random
import shutil
import signal
import socket
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from rollout_conformance.rollout_server.common.workers.group import Group

Sockets = list[socket.socket]
Serve = Callable[[Group, Sockets], None]
SIGNALS = (signal.SIGTERM, signal.SIGINT)
EARLY_S = 2.0  # a process that ended so soon would end so again
MOST_EARLY = 5  # in a row, before the group is given up
BACKLOG = 2048
PR_SET_PDEATHSIG = 1


def run(count: int, listen: tuple[str, int], serve: Callable[[Path], Serve]) -> int:
    """The exit code. `serve` is given the folder of the group and returns what each process runs."""
    folder = Path(tempfile.mkdtemp(prefix="workers-"))
    try:
        sockets = listeners(*listen, count)
        private = [private_listener(Group(folder, count, index)) for index in range(count)]
        return Supervisor(folder, [*zip(sockets, private, strict=True)], serve(folder)).run()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@dataclass(slots=True)
class Supervisor:
    folder: Path
    sockets: list[tuple[socket.socket, socket.socket]]
    serve: Serve
    running: dict[int, int] = field(default_factory=dict)  # index by process id
    began: dict[int, float] = field(default_factory=dict)
    early: int = 0
    stopping: bool = False

    def run(self) -> int:
        for number in SIGNALS:
            signal.signal(number, lambda *_: self.stop())
        for index in range(len(self.sockets)):
            self.start(index)
        while self.running:
            process, status = os.waitpid(-1, 0)
            if process in self.running:
                self.ended(process, status)
        return 0 if self.early < MOST_EARLY else 1

    def start(self, index: int) -> int | None:
        """The id of the process. Signals wait meanwhile: one that ends the group must find every process."""
        with blocked(SIGNALS):
            if self.stopping:
                return None
            process = os.fork()
            if process == 0:
                self.become(index)
            self.running[process] = index
            self.began[process] = time.monotonic()
            return process

    def become(self, index: int) -> None:
        """In the new process; does not return."""
        code = 1
        try:
            for number in SIGNALS:
                signal.signal(number, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
            end_with_parent(os.getppid())
            random.seed()  # the state of the generator was inherited, and would be the same in all
            own = self.sockets[index]
            for one in (
                one for pair in self.sockets for one in pair if one not in own
            ):  # outside Linux all have one in common
                one.close()
            self.serve(Group(self.folder, len(self.sockets), index), [*own])
            code = 0
        except KeyboardInterrupt:
            code = 0
        except SystemExit as error:
            code = error.code if isinstance(error.code, int) else 1
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)

    def ended(self, process: int, status: int) -> None:
        index = self.running.pop(process)
        is_early = time.monotonic() - self.began.pop(process) < EARLY_S
        if self.stopping:
            return
        self.early = self.early + 1 if is_early else 0
        which = f"worker {index + 1} of {len(self.sockets)} (process {process}) ended {how(status)}"
        if self.early >= MOST_EARLY:
            say(f"{which}. {MOST_EARLY} workers in a row ended within {EARLY_S:g} s of their start: all are ended.")
            self.stop()
            return
        if is_early:
            time.sleep(0.2 * self.early)
        fresh = self.start(index)
        if fresh is not None:
            say(f"{which}: what it had in memory is lost. It is started again as process {fresh}.")

    def stop(self) -> None:
        self.stopping = True
        for process in [*self.running]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGTERM)


@contextlib.contextmanager
def blocked(signals: tuple[signal.Signals, ...]) -> Iterator[None]:
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, signals)


def end_with_parent(parent: int) -> None:
    """A killed parent cannot end its processes: on Linux the kernel does."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:
            raise SystemExit(1)


def listeners(host: str, port: int, count: int) -> Sockets:
    """One socket for each process at the same address: the kernel of Linux divides the connections between them evenly. Elsewhere all share one."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        # Without SO_REUSEPORT: with it, a second server at this address would get a part of the connections of the first.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((host, port))
        port = probe.getsockname()[1]
    if sys.platform != "linux":
        return [listener(family, host, port)] * count
    return [listener(family, host, port, share=True) for _ in range(count)]


def listener(family: int, host: str, port: int, share: bool = False) -> socket.socket:
    # The protocol is named, or asyncio leaves Nagle's algorithm on.
    one = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if share:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    one.bind((host, port))
    one.listen(BACKLOG)
    return one


def private_listener(group: Group) -> socket.socket:
    one = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    one.bind(group.socket(group.index))
    one.listen(BACKLOG)
    return one


def how(status: int) -> str:
    code = os.waitstatus_to_exitcode(status)
    return f"by {signal.Signals(-code).name}" if code < 0 else f"with exit code {code}"


def say(text: str) -> None:
    sys.stderr.write(text + "\n")
    sys.stderr.flush()
