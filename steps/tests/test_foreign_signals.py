"""A signal that somebody else in this process handles does not end it."""

import subprocess
import sys

PROGRAM = """
import os, signal, time
from rollout_conformance.steps.engine.early_end import ENDING

ENDING.patience_s = 0.2
ENDING.listen()
ours = signal.signal(signal.SIGTERM, lambda number, frame: None)
os.kill(os.getpid(), signal.SIGTERM)
time.sleep(1.0)  # longer than an end that was asked for is waited for
signal.signal(signal.SIGTERM, ours)
print("still here", ENDING.reason)
"""


def test_a_signal_that_a_server_under_test_handles_ends_nothing() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=60, check=False)  # noqa: S603
    assert (done.stdout.strip(), done.returncode) == ("still here None", 0), done.stderr
