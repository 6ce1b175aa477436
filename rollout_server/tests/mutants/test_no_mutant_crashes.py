"""A mutant shows its defect and nothing else: none has an unexpected error, unless that is its defect."""

import os
import subprocess
import sys

import pytest

SERVERS = "rollout_conformance.rollout_server"


@pytest.mark.slow
@pytest.mark.parametrize("package", ["rollout", "trainer"])
def test_no_mutant_has_an_unexpected_error(package: str) -> None:
    """In a process of its own, which each mutant leaves as it was."""
    command = [sys.executable, "-m", f"{SERVERS}.tests.mutants.find_crashes", f"{SERVERS}.mutants.{package}"]
    env = {**os.environ, "TOKENIZERS_PARALLELISM": "false"}
    done = subprocess.run(command, capture_output=True, text=True, timeout=900, check=False, env=env)  # noqa: S603
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
