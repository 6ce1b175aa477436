"""Reference servers and recorders as processes of their own, on free ports, for as long as a test needs them."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

DEADLINE_S = 60.0
PAUSE_S = 0.02
T = TypeVar("T")
CLI = "import sys; from rollout_conformance.steps.entry import main; sys.argv[0] = 'rollout-conformance'; main()"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def served(*words: str, **env: str) -> Iterator[str]:
    """The command line with these words and a free port; gives the URL once it answers."""
    port = free_port()
    with started(*words, "--port", str(port), **env) as process:
        try:
            until(lambda: reached(f"http://127.0.0.1:{port}/health"))
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.communicate(timeout=DEADLINE_S)


@contextmanager
def module(name: str, variable: str, **env: str) -> Iterator[str]:
    """A reference server that is started as a module; `variable` names its port."""
    port = free_port()
    command = [sys.executable, "-m", name]
    with subprocess.Popen(command, env=os.environ | {variable: str(port)} | env, stderr=subprocess.DEVNULL) as process:  # noqa: S603
        try:
            until(lambda: reached(f"http://127.0.0.1:{port}/health"))
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(DEADLINE_S)


@contextmanager
def recorder(target: str, folder: Path, *words: str) -> Iterator[tuple[str, "subprocess.Popen[str]"]]:
    """A recorder in front of a target, and its URL. It is interrupted at the end, unless it has ended."""
    listen = f"127.0.0.1:{free_port()}"
    with started("record", "--target", target, "--folder", str(folder), "--listen", listen, *words) as process:
        try:
            until(lambda: reached(f"http://{listen}/health"))
            yield f"http://{listen}", process
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(DEADLINE_S)


def started(*words: str, **env: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", CLI, *words]
    return subprocess.Popen(  # noqa: S603
        command, env=os.environ | env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def until(done: Callable[[], T]) -> T:
    end = time.monotonic() + DEADLINE_S
    while time.monotonic() < end:
        if found := done():
            return found
        time.sleep(PAUSE_S)
    raise TimeoutError(f"nothing within {DEADLINE_S:g} s")


def reached(url: str) -> bool:
    try:
        call(url)
    except urllib.error.HTTPError:
        return True
    except (urllib.error.URLError, OSError):
        return False
    except ValueError:  # an answer that is not JSON
        return True
    return True


def call(url: str, body: Any = None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    headers = {"content-type": "application/json", "authorization": "Bearer client-key-0123456789"}
    with urllib.request.urlopen(urllib.request.Request(url, data, headers), timeout=DEADLINE_S) as response:  # noqa: S310
        return json.loads(response.read() or b"null")
