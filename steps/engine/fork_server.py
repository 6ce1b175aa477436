"""A process that imports the reference servers once and forks one process an instance.

An interpreter that imports a server costs 0.7 s of CPU, a fork 10 ms; a run starts twenty instances, a kill matrix hundreds. Run as
`python -m rollout_conformance.steps.engine.fork_server`, it reads one `ForkRequest` a line from stdin, and writes one line a start,
`{"pid": 1}`, and one line an end, `{"ended": 1, "code": 0}`.
Its children end with it, and it ends when stdin does. It has one thread, without which a fork would not be safe.
"""

import contextlib
import importlib
import json
import os
import select
import signal
from typing import NoReturn, TypedDict

STDIN, STDOUT, STDERR = 0, 1, 2


class ForkRequest(TypedDict):
    """`arguments` are those of uvicorn's command line, `application` among them; `module` is what is imported before the fork."""

    module: str
    arguments: list[str]
    environment: dict[str, str]
    folder: str
    log: str


class ForkServer:
    """The children that live."""

    def __init__(self) -> None:
        self.children: set[int] = set()
        self.woken, wake = os.pipe()
        os.set_blocking(self.woken, False)
        os.set_blocking(wake, False)
        signal.set_wakeup_fd(wake)
        signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)  # it ends with the suite, which is told by its stdin

    def serve(self) -> ForkRequest | None:
        """Fork for each line, until the end of stdin; in a child: what it is to run."""
        pending = b""
        while True:
            readable, _, _ = select.select([STDIN, self.woken], [], [])
            if self.woken in readable:
                self._drain()
                self._reap()
            if STDIN not in readable:
                continue
            read = os.read(STDIN, 1 << 16)
            if not read:
                return None
            *lines, pending = (pending + read).split(b"\n")
            for line in lines:
                request: ForkRequest = json.loads(line)
                if self._forked(request):
                    return request

    def end(self) -> None:
        for pid in self.children:
            for kill in (os.killpg, os.kill):  # one that was forked just now leads no group yet
                with contextlib.suppress(OSError):
                    kill(pid, signal.SIGKILL)

    def _forked(self, request: ForkRequest) -> bool:
        with contextlib.suppress(Exception):  # the child imports it again, and its log says what is wrong
            importlib.import_module(request["module"])
        pid = os.fork()
        if pid == 0:
            os.setsid()
            return True
        self.children.add(pid)
        _tell({"pid": pid})
        return False

    def _drain(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while os.read(self.woken, 1 << 12):
                pass

    def _reap(self) -> None:
        while self.children:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            self.children.discard(pid)
            _tell({"ended": pid, "code": os.waitstatus_to_exitcode(status)})


def _tell(message: dict[str, int]) -> None:
    os.write(STDOUT, json.dumps(message).encode() + b"\n")


def _become(request: ForkRequest) -> NoReturn:
    """What `python -m uvicorn` would be with this environment, this folder and this log."""
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    log = os.open(request["log"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    silence = os.open(os.devnull, os.O_RDONLY)
    for own, other in ((silence, STDIN), (log, STDOUT), (log, STDERR)):
        os.dup2(own, other)
    os.environ.clear()
    os.environ.update(request["environment"])
    os.chdir(request["folder"])
    from uvicorn.main import main

    main(request["arguments"], prog_name="uvicorn")
    raise SystemExit


def main() -> None:
    server = ForkServer()
    try:
        request = server.serve()
    except OSError:  # its messages are no longer read: the suite ended while an instance was forked for it
        request = None
    if request is None:
        server.end()
        return
    _become(request)


if __name__ == "__main__":
    import uvicorn.main  # noqa: F401 - before the first fork

    main()
