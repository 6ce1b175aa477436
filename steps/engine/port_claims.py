"""A port for a target that is about to start, claimed among all runs on this machine until the target has ended.

A target takes its port only after its interpreter has started, which takes seconds on a busy machine. Without a claim two runs may
choose one port in that time, and the router of the other run answers the greetings of this one.
"""

import contextlib
import fcntl
import os
import random
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

PORTS, TRIES = range(20_000, 32_000), 50
"""Below those that the system gives away by itself: one of these would, now and then, be the own end of some connection."""


@contextlib.contextmanager
def claimed_port() -> Iterator[int]:
    """A port without a listener that no other run has claimed."""
    with contextlib.ExitStack() as stack:
        for port in random.SystemRandom().sample(PORTS, min(TRIES, len(PORTS))):
            claim = _claim(port)
            if claim is not None and is_free(port):
                stack.callback(claim.close)
                yield port
                return
            if claim is not None:
                claim.close()
        yield free_port()


def free_port() -> int:
    """A port without a listener now."""
    for port in random.SystemRandom().sample(PORTS, min(TRIES, len(PORTS))):
        if is_free(port):
            return port
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _claim(port: int) -> IO[bytes] | None:
    """A locked file, which the system unlocks when this process ends, however it ends; None where another run has it."""
    folder = Path(tempfile.gettempdir()) / f"rollout-conformance-ports-{os.getuid()}"
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        file = (folder / str(port)).open("wb")
    except OSError:
        return None
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        return None
    return file
