"""Where a run takes place: what somebody else needs to repeat it."""

import os
import platform
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from rollout_conformance.steps.engine.redaction import redacted

GIT_S = 2.0
COMMIT_VARIABLES = (
    "GITHUB_SHA",
    "CI_COMMIT_SHA",
    "BUILDKITE_COMMIT",
    "GIT_COMMIT",
)  # of the systems that run continuous integration


def facts() -> Mapping[str, str]:
    """By name, in the order in which they are shown; none is empty."""
    known = {
        "python": platform.python_version(),
        "platform": platform.platform(terse=True),
        "machine": f"{platform.machine()}, {os.cpu_count() or 1} CPUs",
        "command": redacted(" ".join([Path(sys.argv[0]).name, *sys.argv[1:]])),
        "commit": commit() or "",
    }
    return {name: value for name, value in known.items() if value}


def commit() -> str | None:
    """The commit of the working directory, None where there is none. The suite judges a target that may be somewhere else."""
    for name in COMMIT_VARIABLES:
        if found := os.environ.get(name):
            return found
    try:
        told = subprocess.run(
            ["git", "rev-parse", "HEAD"],  # noqa: S607 (the git of the user is the one to ask)
            capture_output=True,
            text=True,
            timeout=GIT_S,
            check=False,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return told.stdout.strip() or None if told.returncode == 0 else None
