"""A reference server as the engine behind a server of the gallery: the inference server, or the worker with its tiny model."""

import socket
import subprocess
import time

WITHIN_S = 60.0


def engine(suite_python: str, kind: str = "inference") -> str:
    """Start one on a free port, and wait until it accepts connections; it ends with the process group of its caller. Its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    started = [suite_python, "-m", f"rollout_conformance.rollout_server.{kind}", "--port", str(port)]
    subprocess.Popen(started)  # noqa: S603 - the Python of the suite
    end = time.monotonic() + WITHIN_S
    while time.monotonic() < end:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return f"http://127.0.0.1:{port}"
        time.sleep(0.1)
    raise TimeoutError(f"the engine did not start within {WITHIN_S:g} s")
