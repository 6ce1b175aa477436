"""What a session of the suite that pytest-xdist spreads over processes tells as one: its report, its outdated baseline, its summary.

A worker hands over what it found when it ends (`workeroutput`); the process that started it joins and shows it.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import pytest

from rollout_conformance.steps.engine.report_merge import merge
from rollout_conformance.steps.pytest_plugin import options

KEY = "rollout_conformance"
_found = pytest.StashKey["Found"]()


class Writer(Protocol):
    """What a summary needs of the terminal."""

    def section(self, title: str, sep: str = "=") -> None: ...
    def write_line(self, line: str) -> None: ...


class Lines:
    """A summary that is kept to be written elsewhere: titles of sections, and lines."""

    def __init__(self) -> None:
        self.kept: list[tuple[str, str]] = []

    def section(self, title: str, sep: str = "=") -> None:
        self.kept.append((sep, title))

    def write_line(self, line: str) -> None:
        self.kept.append(("", line))


def is_worker(config: pytest.Config) -> bool:
    return hasattr(config, "workerinput")


def report_file(config: pytest.Config) -> Path | None:
    """Where this process writes its report: a worker beside the one that the user asked for."""
    file = options.of(config).report
    if file is None or not is_worker(config):
        return file
    worker = config.workerinput["workerid"]  # type: ignore[attr-defined]
    return file.with_name(f"{file.name}.{worker}")


def hand_over(config: pytest.Config, stale: list[str], summarize: Callable[[Writer], None]) -> None:
    """Leave what this worker found to the process that started it."""
    lines, file = Lines(), report_file(config)
    summarize(lines)
    part = str(file) if file is not None and file.exists() else None
    config.workeroutput[KEY] = {"stale": stale, "summary": lines.kept, "report": part}  # type: ignore[attr-defined]


class Found:
    """What all workers of a session handed over, as a plugin of the process that started them."""

    def __init__(self) -> None:
        self.parts: dict[str, dict[str, Any]] = {}

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        file = options.of(session.config).report
        if file is not None:
            _join(file, [Path(part["report"]) for part in self.parts.values() if part["report"]])
        if self.stale and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: "pytest.TerminalReporter") -> None:
        for line in self.stale:
            terminalreporter.write_line(f"BASELINE  {line}")
        for part in self.parts.values():
            for sep, text in part["summary"]:
                terminalreporter.section(text, sep=sep) if sep else terminalreporter.write_line(text)

    @property
    def stale(self) -> list[str]:
        return list(dict.fromkeys(line for part in self.parts.values() for line in part["stale"]))


def take(config: pytest.Config, worker: str, output: dict[str, Any]) -> None:
    """Take what a worker handed over; nothing of one that had no cases."""
    if KEY not in output:
        return
    if _found not in config.stash:
        config.stash[_found] = Found()
        config.pluginmanager.register(config.stash[_found], "rollout-conformance-workers")
    config.stash[_found].parts[worker] = output[KEY]


def _join(file: Path, parts: list[Path]) -> None:
    """The report of a session, from those of its workers."""
    if len(parts) == 1:
        parts[0].replace(file)
    elif parts:
        merge(parts, file, same=("format", "suite", "nulls"))
        for part in parts:
            part.unlink()
