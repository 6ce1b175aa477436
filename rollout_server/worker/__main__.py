"""`python -m rollout_conformance.rollout_server.worker`: the reference worker, configured by WORKER_ variables."""

import os
import signal
import sys

from rollout_conformance.rollout_server.common.command_line import Server, run
from rollout_conformance.rollout_server.worker.app import create_app
from rollout_conformance.rollout_server.worker.settings import load

STUB = "--stub"
SERVER = Server("worker", load, create_app, shutdown_s=lambda settings: settings.drain_s + 0.5)


def main() -> int:
    """`--stub` is WORKER_STUB=1. A stop by a signal is a success: uvicorn raises the signal again at the end."""
    if STUB in sys.argv:
        sys.argv.remove(STUB)
        os.environ["WORKER_STUB"] = "1"
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit(0))
    return run(SERVER)


if __name__ == "__main__":
    raise SystemExit(main())
