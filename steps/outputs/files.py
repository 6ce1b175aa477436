"""Writes what a run has for CI to the files that were named, and to GitHub Actions where it runs there."""

import contextlib
import os
import secrets
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path

from rollout_conformance.steps.engine.findings import SuiteError
from rollout_conformance.steps.outputs import annotations, badge, har, junit, markdown, sarif
from rollout_conformance.steps.outputs.facts import RunFacts


@dataclass(frozen=True, slots=True)
class Outputs:
    """The file of each format, None where it is not wanted."""

    junit: Path | None = None
    summary: Path | None = None
    sarif: Path | None = None
    badge: Path | None = None
    har: Path | None = None

    def check(self) -> None:
        """Raises `SuiteError` for a file that cannot be written: before a run, not after it."""
        for one in fields(self):
            file: Path | None = getattr(self, one.name)
            if file is not None and not file.parent.is_dir():
                raise SuiteError(f"--{one.name} {file}: there is no folder {file.parent}")

    def write(self, facts: RunFacts) -> None:
        """Raises `SuiteError` when a file cannot be written."""
        for name, render in FORMATS.items():
            file: Path | None = getattr(self, name)
            if file is not None:
                _written(file, render(facts))


NO_FILES = Outputs()


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "backslashreplace")


def _written(file: Path, data: bytes) -> None:
    try:
        file.write_bytes(data)
    except OSError as error:
        raise SuiteError(f"{file}: cannot be written: {error.strerror}") from error


FORMATS: dict[str, Callable[[RunFacts], bytes]] = {
    "junit": junit.render,
    "summary": lambda facts: _bytes(markdown.render(facts)),
    "sarif": lambda facts: _bytes(sarif.render(facts)),
    "badge": badge.render,
    "har": lambda facts: _bytes(har.render(facts)),
}


@dataclass(frozen=True, slots=True)
class GitHub:
    """GitHub Actions, where a run is a step of a job there: its log takes commands, and its summary is a file."""

    active: bool
    summary: Path | None
    folder: Path

    @classmethod
    def of(cls, environment: Mapping[str, str] = os.environ) -> "GitHub":
        summary = environment.get("GITHUB_STEP_SUMMARY")
        folder = Path(environment.get("GITHUB_WORKSPACE") or ".")
        return cls(environment.get("GITHUB_ACTIONS") == "true", Path(summary) if summary else None, folder)

    @contextlib.contextmanager
    def without_commands(self, echo: Callable[[str], None]) -> Iterator[None]:
        """What is printed meanwhile is no command of the log, whatever a target wrote into it."""
        token = secrets.token_hex(16)
        if self.active:
            echo(f"::stop-commands::{token}")
        try:
            yield
        finally:
            if self.active:
                echo(f"::{token}::")

    def write(self, facts: RunFacts, echo: Callable[[str], None]) -> None:
        """The annotations to the log, and the summary of the step. A summary that cannot be written changes no verdict."""
        if not self.active:
            return
        for line in annotations.lines(facts, self.folder):
            echo(line)
        if self.summary is not None:
            with contextlib.suppress(OSError), self.summary.open("ab") as stream:
                stream.write(_bytes(markdown.render(facts)))
