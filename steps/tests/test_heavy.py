"""Every invariant of every profile judges what is large, and what is hostile, in time that grows with its size and not with the square."""

import subprocess
import sys

import pytest

from rollout_conformance.steps.paths import ROOT
from rollout_conformance.steps.profiles import PROFILES

DEADLINE_S = 900  # far more than a busy machine needs; what is quadratic takes hours


@pytest.mark.parametrize("profile", sorted(PROFILES))
def test_every_invariant_judges_large_cases_in_linear_time(profile: str) -> None:
    command = [sys.executable, "-m", "rollout_conformance.steps.tests.heavy", profile]
    ended = subprocess.run(  # noqa: S603
        command, cwd=ROOT, capture_output=True, text=True, timeout=DEADLINE_S, check=False
    )
    *steep, last = ended.stdout.splitlines() or [""]
    assert (ended.returncode, steep, last.partition(" ")[0]) == (0, [], "judged"), ended.stderr[-2000:]
