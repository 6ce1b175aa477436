"""The server in a process of its own that kills itself, as `kill -9` does, at one point of its work.

`python -m rollout_conformance.rollout_server.tests.training.dying_server FD POINT KIND` listens on the file descriptor FD. It dies where POINT is
reached while a request of KIND runs; POINT `never` lets it live.
"""

import contextvars
import os
import signal
import sys
from typing import Any

import uvicorn

from rollout_conformance.rollout_server.mutants.framework import around
from rollout_conformance.rollout_server.training import app
from rollout_conformance.rollout_server.training.checkpoint_files import CheckpointFiles
from rollout_conformance.rollout_server.training.command_log import CommandLog
from rollout_conformance.rollout_server.training.model_store import ModelStore
from rollout_conformance.rollout_server.training.service import Service

RUNS: contextvars.ContextVar[str] = contextvars.ContextVar("RUNS", default="")


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def after_call(kind: str) -> Any:
    """Dies when the function has done its work."""

    def change(original: Any, *arguments: Any) -> Any:
        result = original(*arguments)
        if kind == RUNS.get():
            die()
        return result

    return change


def before_call(kind: str) -> Any:
    def change(original: Any, *arguments: Any) -> Any:
        if kind == RUNS.get():
            die()
        return original(*arguments)

    return change


def named(original: Any, self: Service, request_id: str, model: str | None) -> Any:
    async def run() -> None:
        RUNS.set(self._jobs[request_id].command.kind)
        await original(self, request_id, model)

    return run()


POINTS = {
    "before it is computed": (Service, "_compute", before_call),
    "computed, nothing is written": (Service, "_commit", before_call),
    "a file is written": (CheckpointFiles, "write", after_call),
    "the state is written, the result is not": (ModelStore, "write", after_call),
    "both are written, the transaction is open": (CommandLog, "finish", after_call),
    "the transaction is closed": (Service, "_commit", after_call),
}


def main() -> None:
    descriptor, point, kind = int(sys.argv[1]), sys.argv[2], sys.argv[3]
    around(Service, "_run", named)()
    if point in POINTS:
        owner, name, change = POINTS[point]
        around(owner, name, change(kind))()
    uvicorn.run(app.create_app(), fd=descriptor, log_level="critical", lifespan="on")


if __name__ == "__main__":
    main()
