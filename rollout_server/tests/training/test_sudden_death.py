"""A process that dies at any point of a request leaves it done completely or not at all, and the next process finishes it once."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from rollout_conformance.rollout_server.tests.training.dying_server import POINTS
from rollout_conformance.rollout_server.tests.training.support import ALICE, API, BASE, A, B, batch, differ, near

LIMIT_S = 30.0
SERVER = "rollout_conformance.rollout_server.tests.training.dying_server"


@contextlib.contextmanager
def served(
    folder: Path, point: str = "never", kind: str = ""
) -> Iterator[tuple["subprocess.Popen[bytes]", httpx.Client]]:
    """A process, which alone holds the listening socket, so that nobody waits for one that has died."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=64)
    url = f"http://127.0.0.1:{listener.getsockname()[1]}{API}"
    environment = {
        **os.environ,
        "TRAINING_KEYS": json.dumps([{"key": ALICE, "user": "alice"}]),
        "TRAINING_FOLDER": str(folder),
        "TRAINING_LOG_LEVEL": "off",
    }
    command = [sys.executable, "-m", SERVER, str(listener.fileno()), point, kind]
    started = subprocess.Popen(command, env=environment, pass_fds=(listener.fileno(),))  # noqa: S603
    listener.close()
    try:
        with httpx.Client(base_url=url, headers={"X-API-Key": ALICE}, trust_env=False, timeout=LIMIT_S) as client:
            yield started, client
    finally:
        started.kill()
        started.wait(LIMIT_S)


def submit(client: httpx.Client, kind: str, **body: Any) -> str:
    response = client.post(kind, json=body)
    assert response.status_code == 200, response.text
    return str(response.json()["request_id"])


def result(client: httpx.Client, request_id: str) -> Any:
    response = client.post("retrieve_future", json={"request_id": request_id})
    assert response.status_code == 200, response.text
    return response.json()


def model(client: httpx.Client, session: str, number: int) -> str:
    body = {"session_id": session, "model_seq_id": number, "base_model": BASE, "lora_config": {"rank": 2, "seed": 5}}
    return str(result(client, submit(client, "create_model", **body))["model_id"])


CALLS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("forward_backward", {"forward_backward_input": batch(A)}),
    ("optim_step", {"adam_params": {"learning_rate": 0.1}}),
    ("forward_backward", {"forward_backward_input": batch(B)}),
    ("save_weights", {"path": "kept"}),
    ("optim_step", {"adam_params": {"learning_rate": 0.1}}),
)
DEATHS = (
    *(("optim_step", point) for point in POINTS if point != "a file is written"),
    ("forward_backward", "the state is written, the result is not"),
    ("save_weights", "a file is written"),
    ("save_weights", "both are written, the transaction is open"),
)


def new_session(client: httpx.Client) -> str:
    return str(client.post("create_session", json={"tags": [], "sdk_version": "test"}).json()["session_id"])


def logprobs(client: httpx.Client, name: str, seq: int) -> list[float]:
    given = result(client, submit(client, "forward", model_id=name, seq_id=seq, forward_input=batch(A, B)))
    return [value for one in given["loss_fn_outputs"] for value in one["logprobs"]["data"]]


def play(client: httpx.Client, name: str, first: int = 1) -> list[str]:
    """All calls in order, numbered from `first`. Returns their request ids."""
    return [submit(client, kind, model_id=name, seq_id=seq, **body) for seq, (kind, body) in enumerate(CALLS, first)]


def died(process: "subprocess.Popen[bytes]") -> bool:
    return process.wait(LIMIT_S) == -signal.SIGKILL


@pytest.mark.parametrize(("kind", "point"), DEATHS)
def test_a_request_is_done_once_and_whole(tmp_path: Path, kind: str, point: str) -> None:
    with served(tmp_path, point, kind) as (process, client):
        session = new_session(client)
        victim = model(client, session, 0)
        with contextlib.suppress(httpx.TransportError):
            play(client, victim)
        assert died(process)
    with served(tmp_path) as (_, client):
        undisturbed = model(client, session, 1)
        before = logprobs(client, undisturbed, 1)
        for name, first in ((victim, 1), (undisturbed, 2)):
            for request_id in play(client, name, first):
                assert "error" not in result(client, request_id)
        expected = logprobs(client, undisturbed, 7)
        assert near(logprobs(client, victim, 6), expected, 1e-7)
        assert differ(expected, before)


def test_a_file_without_a_checkpoint_is_removed(tmp_path: Path) -> None:
    with served(tmp_path, "a file is written", "save_weights") as (process, client):
        name = model(client, new_session(client), 0)
        submit(client, "save_weights", model_id=name, seq_id=1, path="kept")
        assert died(process)
    left = set((tmp_path / "checkpoints").iterdir())
    assert len(left) == 1
    with served(tmp_path) as (_, client):
        saved = result(client, submit(client, "save_weights", model_id=name, seq_id=1, path="kept"))
        assert saved["path"].endswith("/kept")
    now = set((tmp_path / "checkpoints").iterdir())
    assert len(now) == 1
    assert now != left
