"""Mutants are served by name, and each of them plants its defect in something that exists."""

import subprocess
import sys

import pytest

from rollout_conformance.rollout_server.mutants import trainer

PLANT_ALL = "from rollout_conformance.rollout_server.mutants.trainer import ALL\nfor mutant in ALL.values():\n    mutant.patch()\nprint(len(ALL))"


def test_a_name_that_is_none_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRAINER_MUTANT", "nobody")
    with pytest.raises(LookupError, match="names no mutant; there are "):
        trainer.create_app()


def test_all_can_be_planted() -> None:
    """In a process of its own, which is spoilt for everything else."""
    command = [sys.executable, "-c", PLANT_ALL]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)  # noqa: S603
    assert (done.stdout, done.stderr) == (f"{len(trainer.ALL)}\n", "")
