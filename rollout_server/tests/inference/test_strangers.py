"""Each stranger patches what exists."""

import subprocess
import sys

CREATE_ALL = """
import os
from rollout_conformance.rollout_server.tests.inference import strangers
for name in (*strangers.FREEDOMS, *strangers.ANSWERS):
    os.environ["STRANGER"] = name
    strangers.create_app()
"""


def test_each_can_be_created() -> None:
    """In a process of its own, as patches are not undone."""
    command = [sys.executable, "-c", CREATE_ALL]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)  # noqa: S603
    assert (done.returncode, done.stderr) == (0, "")
