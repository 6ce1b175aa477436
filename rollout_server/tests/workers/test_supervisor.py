"""Real processes behind one port: one that dies is replaced, and a signal ends them all."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from rollout_conformance.rollout_server.common.workers import supervisor
from rollout_conformance.rollout_server.tests.rollout.support import DEADLINE_S
from rollout_conformance.rollout_server.tests.tls import WITHOUT_CERTIFICATES

MODULE = "rollout_conformance.rollout_server"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Server:
    def __init__(self, log: Path, tmp: Path) -> None:
        self.port, self.log, self.tmp = free_port(), log, tmp
        env = {**os.environ, "ROLLOUT_LOG_LEVEL": "off", "ROLLOUT_DRAIN_S": "0", "TMPDIR": str(tmp)}
        words = [sys.executable, "-m", MODULE, "--port", str(self.port), "--workers", "3"]
        with log.open("wb") as errors:
            self.process = subprocess.Popen(words, env=env, stderr=errors)  # noqa: S603

    def get(self, path: str) -> httpx.Response:
        """On a connection of its own, so that any of the processes may respond."""
        url = f"http://127.0.0.1:{self.port}{path}"
        return httpx.get(url, verify=WITHOUT_CERTIFICATES, trust_env=False, timeout=DEADLINE_S)

    def workers(self) -> list[int]:
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        return [int(one) for one in children.split()]

    def is_up(self) -> bool:
        try:
            return self.get("/health").status_code == 200
        except httpx.TransportError:
            return False


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    (tmp_path / "tmp").mkdir()
    running = Server(tmp_path / "log", tmp_path / "tmp")
    try:
        until(running.is_up)
        yield running
    finally:
        running.process.kill()
        running.process.wait()


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_worker_that_dies_is_replaced_and_a_signal_ends_all(server: Server) -> None:
    before = server.workers()
    assert len(before) == 3
    os.kill(before[1], signal.SIGKILL)
    until(lambda: before[1] not in server.workers() and len(server.workers()) == 3)
    assert {server.get("/rollout/unknown/status").status_code for _ in range(12)} == {404}
    (fresh,) = {*server.workers()} - {*before}
    said = server.log.read_text()
    assert f"(process {before[1]}) ended by SIGKILL" in said
    assert f"started again as process {fresh}" in said

    last = server.workers()
    server.process.terminate()
    assert server.process.wait(DEADLINE_S) == 0
    assert not any(Path(f"/proc/{one}").exists() for one in last)
    assert not [*server.tmp.iterdir()]  # the folder of the group


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel ends what a killed process started on Linux only")
def test_workers_end_with_a_supervisor_that_is_killed(server: Server) -> None:
    workers = server.workers()
    server.process.kill()
    server.process.wait()
    until(lambda: not any(is_running(one) for one in workers))


def is_running(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def test_a_taken_port_is_refused() -> None:
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(OSError, match="in use"):
            supervisor.listeners("127.0.0.1", taken.getsockname()[1], 2)


def test_workers_that_end_at_once_are_given_up() -> None:
    script = (
        "import sys; from rollout_conformance.rollout_server.common.workers import supervisor\n"
        "sys.exit(supervisor.run(2, ('127.0.0.1', 0), lambda folder: lambda group, sockets: sys.exit(7)))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=DEADLINE_S)  # noqa: S603
    assert done.returncode == 1
    assert "ended with exit code 7" in done.stderr
    assert "all are ended" in done.stderr


def test_a_socket_that_all_workers_share_stays_open_in_each() -> None:
    """As outside Linux, where the kernel does not divide connections between sockets."""
    script = (
        "import socket, sys; from rollout_conformance.rollout_server.common.workers import supervisor\n"
        "supervisor.listeners = lambda host, port, count: [supervisor.listener(socket.AF_INET, host, port)] * count\n"
        "serve = lambda folder: lambda group, sockets: sys.exit(3 if all(one.fileno() >= 0 for one in sockets) else 4)\n"
        "sys.exit(supervisor.run(2, ('127.0.0.1', 0), serve))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=DEADLINE_S)  # noqa: S603
    assert "ended with exit code 3" in done.stderr
    assert "ended with exit code 4" not in done.stderr
