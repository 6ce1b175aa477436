"""The reference trainer and the reference rollout server, two processes, over real sockets."""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

DEADLINE_S = 30.0
PAUSE_S = 0.02
QUESTION = {"role": "user", "content": "Please calculate 5 plus 3."}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def served(module: str, port: int, *arguments: str, **env: str) -> Iterator[str]:
    command = [sys.executable, "-m", module, *arguments]
    process = subprocess.Popen(command, env=os.environ | env, stderr=subprocess.DEVNULL)  # noqa: S603
    url = f"http://127.0.0.1:{port}"
    try:
        until(lambda: reached(url))
        yield url
    finally:
        process.terminate()
        process.wait(DEADLINE_S)


def until(done: Any) -> Any:
    end = time.monotonic() + DEADLINE_S
    while time.monotonic() < end:
        if found := done():
            return found
        time.sleep(PAUSE_S)
    raise TimeoutError(f"nothing within {DEADLINE_S:g} s")


def reached(url: str) -> bool:
    try:
        return bool(call(f"{url}/health")["status"] == "healthy")
    except (urllib.error.URLError, OSError):
        return False


def call(url: str, body: Any = None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"content-type": "application/json"})  # noqa: S310
    with urllib.request.urlopen(request, timeout=DEADLINE_S) as response:  # noqa: S310
        return json.load(response)


@pytest.fixture(scope="module")
def both() -> Iterator[tuple[str, str]]:
    port, other = free_port(), free_port()
    with (
        served("rollout_server", other, ROLLOUT_SERVER_PORT=str(other), ROLLOUT_SERVER_KEY="server-key") as server,
        served(
            "rollout_conformance.rollout_server.trainer", port, "--port", str(port), TRAINER_SERVER_KEY="server-key"
        ) as trainer,
    ):
        yield trainer, server


@pytest.mark.parametrize("dialect", ["sync", "callback"])
def test_five_plus_three_is_eight(both: tuple[str, str], dialect: str) -> None:
    trainer, server = both
    start = {"rollout_id": f"five/{dialect}", "dialect": dialect, "server_url": server, "messages": [QUESTION]}
    assert call(f"{trainer}/rollouts", start) == {"rollout_id": f"five/{dialect}"}
    record = until(lambda: ended(f"{trainer}/rollouts/five/{dialect}"))
    assert (record["status"], record["finish_reason"], record["drift"]) == ("COMPLETED", "stop", None)
    assert "8" in record["result"]["final_messages"][-1]["content"]
    assert [message["role"] for message in record["result"]["final_messages"]] == [
        "user",
        "assistant",
        "tool",
        "assistant",
    ]
    sampled = sum(len(turn["token_ids"]) for turn in record["turns"])
    assert (len(record["turns"]), sum(record["response_mask"])) == (2, sampled)
    assert record["result"]["metrics"]["response_tokens"] == sampled


def ended(url: str) -> Any:
    record = call(url)
    return record if record["status"] != "running" else None


def test_a_bad_setting_ends_the_trainer_with_a_sentence() -> None:
    process = subprocess.run(
        [sys.executable, "-m", "rollout_conformance.rollout_server.trainer"],
        env=os.environ | {"TRAINER_TOKENIZER": "/nowhere"},
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )
    assert process.returncode == 2
    assert process.stderr.startswith("trainer: TRAINER_TOKENIZER: no usable tokenizer in /nowhere")
