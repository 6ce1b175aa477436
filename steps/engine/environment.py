"""Where a run takes place: what is needed to repeat it elsewhere."""

import os
import platform
import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path

from rollout_conformance.steps.engine.redaction import MASK, redacted

GIT_S = 2.0
SECRET_OPTIONS = frozenset({"--target-key"})
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
        "command": command(sys.argv),
        "commit": commit() or "",
    }
    return {name: value for name, value in known.items() if value}


def command(words: Sequence[str]) -> str:
    """A command line without the keys that were given on it, however short they are."""
    shown = [Path(words[0]).name] if words else []
    for before, word in pairwise(words):
        option, equals, _ = word.partition("=")
        if before in SECRET_OPTIONS:
            word = MASK
        elif equals and option in SECRET_OPTIONS:
            word = f"{option}={MASK}"
        shown.append(shlex.quote(word) if word != MASK else word)
    return redacted(" ".join(shown))


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
