"""Every mutant serves a plain greeting: a server that answers nothing would only show that the suite notices a dead server."""

import os
import subprocess
import sys

import pytest

# Their defect is in what every plain greeting sends, and cannot be shown without it.
IN_THE_GREETING = {"refuses_nulls": "the defect: the `stop: null` of every generation call is refused"}
PACKAGES = ("rollout", "trainer", "inference", "router")


@pytest.mark.slow
@pytest.mark.parametrize("package", PACKAGES)
def test_every_mutant_answers_a_plain_greeting(package: str) -> None:
    """In a process of its own, which each mutant leaves as it was."""
    command = [
        sys.executable,
        "-m",
        "rollout_conformance.rollout_server.tests.mutants.greet_mutants",
        f"rollout_conformance.rollout_server.mutants.{package}",
    ]
    env = {**os.environ, "TOKENIZERS_PARALLELISM": "false"}
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False, env=env)  # noqa: S603
    assert done.returncode == 0, done.stderr
    told = [line.partition("\t") for line in done.stdout.splitlines() if "\t" in line]
    assert [(name, why) for name, _, why in told if name not in IN_THE_GREETING] == []
