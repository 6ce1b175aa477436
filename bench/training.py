"""Prints the training table of docs/benchmarks.md: `python bench/training.py`. Every figure is of one run on one machine.

The reference training server runs in a process of its own. What is counted is the CPU time of this process, so that what else the machine does
matters little.
"""

import contextlib
import http.client
import json
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

KEY = "tml-bench-0000"
BASE = "reference/tiny-softmax"
CALLS, TOKENS = 1000, 1000
STEPS, EVERY = 10_000, 1000
TICKS = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")


class Server:
    """The server, and one connection to it."""

    def __init__(self, pid: int, port: int) -> None:
        self.pid = pid
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)

    def post(self, path: str, **body: Any) -> Any:
        headers = {"Authorization": f"Bearer {KEY}", "X-API-Key": KEY, "Content-Type": "application/json"}
        self.connection.request("POST", path, json.dumps(body), headers)
        response = self.connection.getresponse()
        text = response.read()
        if response.status != 200:
            raise RuntimeError(f"{path}: {response.status} {text[:200]!r}")
        return json.loads(text)

    def cpu_s(self) -> float:
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def resident_mib(self) -> float:
        return int(Path(f"/proc/{self.pid}/statm").read_text().split()[1]) * PAGE / 2**20


@contextlib.contextmanager
def served() -> Iterator[Server]:
    with tempfile.TemporaryDirectory() as folder, socket.create_server(("127.0.0.1", 0)) as listener:
        variables = {
            **os.environ,
            "TRAINING_KEYS": json.dumps([{"key": KEY, "user": "bench"}]),
            "TRAINING_FOLDER": folder,
            "TRAINING_LOG_LEVEL": "off",
            "OPENBLAS_NUM_THREADS": "1",
        }
        app = "rollout_conformance.rollout_server.training.app:create_app"
        command = [
            sys.executable,
            "-m",
            "uvicorn",
            "--factory",
            app,
            "--fd",
            str(listener.fileno()),
            "--log-level",
            "critical",
        ]
        process = subprocess.Popen(command, env=variables, pass_fds=(listener.fileno(),))  # noqa: S603
        try:
            yield Server(process.pid, listener.getsockname()[1])
        finally:
            process.terminate()
            process.wait(30)


def result(server: Server, submitted: Any) -> Any:
    return server.post("/api/v1/retrieve_future", request_id=submitted["request_id"])


def batch() -> dict[str, Any]:
    tokens = [n % 1500 for n in range(TOKENS + 1)]
    inputs = {
        "target_tokens": {"data": tokens[1:], "dtype": "int64", "shape": [TOKENS]},
        "weights": {"data": [1.0] * TOKENS, "dtype": "float32", "shape": [TOKENS]},
    }
    model_input = {"chunks": [{"type": "encoded_text", "tokens": tokens[:-1]}]}
    return {"loss_fn": "cross_entropy", "data": [{"model_input": model_input, "loss_fn_inputs": inputs}]}


def throughput(server: Server) -> float:
    """CPU seconds of one forward_backward, its result included."""
    session = server.post("/api/v1/create_session", tags=[], sdk_version="bench")["session_id"]
    made = server.post(
        "/api/v1/create_model", session_id=session, model_seq_id=0, base_model=BASE, lora_config={"rank": 8}
    )
    model, given = result(server, made)["model_id"], batch()
    before = server.cpu_s()
    for seq in range(1, CALLS + 1):
        submitted = server.post("/api/v1/forward_backward", model_id=model, seq_id=seq, forward_backward_input=given)
        assert "loss:sum" in result(server, submitted)["metrics"]
    return (server.cpu_s() - before) / CALLS


def memory(server: Server) -> list[float]:
    """MiB after every EVERY steps of one run, each of a forward_backward and an optim_step."""
    run = server.post("/runs", base_model=BASE, lora_r=8)["run_id"]
    found = []
    for step in range(1, STEPS + 1):
        server.post(f"/runs/{run}/forward_backward", batch_data=[{"text": f"This is the text of step {step}."}])
        assert server.post(f"/runs/{run}/optim_step")["step"] == step
        if step % EVERY == 0:
            found.append(server.resident_mib())
    return found


def main() -> None:
    with served() as server:
        each = throughput(server)
    with served() as server:
        before = server.cpu_s()
        sizes = memory(server)
        step = (server.cpu_s() - before) / STEPS
    print("| what | figure |\n| --- | --- |")
    print(
        f"| forward_backward of {TOKENS} tokens, CPU time of the server | {each * 1000:.1f} ms, {60 / each:.0f} a minute on one core |"
    )
    print(f"| a small forward_backward and an optim_step in `signal` | {step * 1000:.1f} ms |")
    print(
        f"| memory after {EVERY} and after {STEPS} such steps | {sizes[0]:.0f} and {sizes[-1]:.0f} MiB, {sizes[-1] / sizes[0]:.3f} of it |"
    )


if __name__ == "__main__":
    main()
