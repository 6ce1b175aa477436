"""A run that is ended early, by whatever signal and in whatever state, shows what it found, accuses nobody and leaves nothing behind.

Real processes, started as a shell starts what runs in the background: SIGINT is ignored.
"""

import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from rollout_conformance.steps.paths import ROOT

WITHIN_S = 30.0  # a machine of CI is loaded; on a quiet one it takes a fraction of a second
STARTED_S = 120.0
RUN = ["-c", "from rollout_conformance.steps.entry import main; main()", "run"]


@dataclass
class Background:
    """A process in the background, found again with all that it started by a mark in their environment."""

    words: list[str]
    env: dict[str, str] = field(default_factory=dict)
    stderr: int = subprocess.PIPE

    def __enter__(self) -> "Background":
        self.mark = uuid.uuid4().hex
        self.process = subprocess.Popen(  # noqa: S603
            [sys.executable, *self.words],
            stdout=subprocess.PIPE,
            stderr=self.stderr,
            text=True,
            cwd=ROOT,
            env={**os.environ, **self.env, "ROLLOUT_TEST_MARK": self.mark},
            preexec_fn=_in_the_background,
        )
        return self

    def __exit__(self, *exc: object) -> None:
        for pid in self.living():
            os.kill(pid, signal.SIGKILL)
        self.process.kill()
        self.process.communicate()

    def until(self, happened: Callable[[], bool]) -> None:
        _until(lambda: happened() or self.process.poll() is not None, STARTED_S)
        assert self.process.poll() is None, self.process.communicate()

    def send(self, number: int, repeatedly: bool = False, within_s: float = WITHIN_S) -> tuple[str, str]:
        """Send a signal; what it printed until its end. Nothing that it started is left."""
        began = time.monotonic()
        self.process.send_signal(number)
        while repeatedly and self.process.poll() is None and time.monotonic() - began < WITHIN_S:
            self.process.send_signal(number)
            time.sleep(0.05)
        out, err = self.process.communicate(timeout=within_s)
        print(f"ended {time.monotonic() - began:.2f} s after the signal")  # noqa: T201 - shown by `pytest -rP`
        _until(lambda: not self.living(), WITHIN_S)
        assert "Traceback" not in out + (err or "")
        return out, err

    def living(self) -> list[int]:
        return [pid for pid in _pids() if pid != os.getpid() and self.mark in _environment(pid)]


def _in_the_background() -> None:
    """As a shell starts it; whatever ignores SIGHUP here (`nohup`) is no matter there."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


def _until(happened: Callable[[], bool], within_s: float) -> None:
    end = time.monotonic() + within_s
    while not happened():
        assert time.monotonic() < end, f"not within {within_s:g} s"
        time.sleep(0.02)


def _pids() -> list[int]:
    if Path("/proc/self").exists():
        return [int(name) for name in os.listdir("/proc") if name.isdigit()]
    return [int(word) for word in _ps("-axo", "pid=").split()]


def _environment(pid: int) -> str:
    try:
        if Path("/proc/self").exists():
            return Path(f"/proc/{pid}/environ").read_bytes().decode("utf-8", "replace")
        return _ps("eww", "-p", str(pid))
    except OSError:
        return ""


def _ps(*options: str) -> str:
    return subprocess.run(["/bin/ps", *options], capture_output=True, text=True).stdout  # noqa: S603


@pytest.fixture
def report(tmp_path: Path) -> Path:
    return tmp_path / "run.ndjson"


def results(report: Path) -> int:
    return report.read_text().count('"type": "result"') if report.exists() else 0


def footer(report: Path) -> Any:
    last = json.loads(report.read_text().splitlines()[-1])
    assert last["type"] == "footer"
    return last


@pytest.fixture
def run(report: Path) -> Iterator[Background]:
    with Background([*RUN, "--report", str(report)]) as process:
        process.until(lambda: results(report) > 0)
        yield process


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_signal_ends_a_run_in_order(number: signal.Signals, run: Background, report: Path) -> None:
    out, _ = run.send(number, repeatedly=True)
    assert run.process.returncode == 128 + number
    end = footer(report)
    assert (end["aborted"], end["ended_by"]) == (True, number.name)
    played = end["planned"] - end["not_run"]
    assert f"Ended early by {number.name}: {played} of {end['planned']} cases had been played." in out
    assert "FAIL" not in out
    assert "Not fit" not in out
    assert "No verdict: the run did not get to its end." in out


def test_a_terminal_that_was_closed_ends_it_as_the_signal_says(report: Path) -> None:
    ours, its = os.openpty()
    with Background([*RUN, "--report", str(report)], stderr=its) as run:
        os.close(its)
        run.until(lambda: results(report) > 0)
        assert b"0/" in os.read(ours, 4096)  # the bar of the progress
        os.close(ours)  # from now on whatever is written there fails
        run.send(signal.SIGHUP)
        assert run.process.returncode == 129
        assert footer(report)["ended_by"] == "SIGHUP"


def test_what_was_started_dies_with_a_run_that_is_killed(run: Background) -> None:
    assert len(run.living()) > 1
    run.send(signal.SIGKILL)


def test_a_run_ends_after_its_time(report: Path) -> None:
    with Background([*RUN, "--report", str(report), "--max-time", "0.5"]) as run:
        out, err = run.process.communicate(timeout=STARTED_S)
        assert "Ended early by --max-time 0.5: " in out
        assert run.process.returncode == 2
        assert footer(report)["ended_by"] == "--max-time 0.5"
        assert "Traceback" not in out + err
        _until(lambda: not run.living(), WITHIN_S)


BUSY = """
import re, sys
from rollout_conformance.steps.engine.runner import Runner
def judgement(self, case, session):
    open(sys.argv.pop(), "w").close()
    re.match(r"(a+)+$", "a" * 60 + "b")
Runner.judgement = judgement
from rollout_conformance.steps.entry import main
main()
"""


def test_a_signal_ends_a_run_whose_judge_is_busy(report: Path, tmp_path: Path) -> None:
    judging = tmp_path / "judging"
    words = ["-c", BUSY.replace("sys.argv.pop()", repr(str(judging))), "run", "--report", str(report)]
    with Background(words) as run:
        run.until(judging.exists)
        out, _ = run.send(signal.SIGTERM)
        assert run.process.returncode == 143
        assert footer(report)["ended_by"] == "SIGTERM"
        assert "FAIL" not in out


STUCK = """
import asyncio
from rollout_conformance.steps.engine.runner import Runner
async def never_ending(self, case):
    open("{file}", "w").close()
    while True:
        try:
            await asyncio.sleep(1000)
        except asyncio.CancelledError:
            pass
Runner.play = never_ending
from rollout_conformance.steps.entry import main
main()
"""


def test_a_run_that_does_not_end_by_itself_is_ended(report: Path, tmp_path: Path) -> None:
    playing = tmp_path / "playing"
    with Background(["-c", STUCK.format(file=playing), "run", "--report", str(report)]) as run:
        run.until(playing.exists)
        out, _ = run.send(signal.SIGTERM)
        assert run.process.returncode == 143
        assert footer(report)["ended_by"] == "SIGTERM"
        assert "Ended early by SIGTERM: " in out


EARLY = """
import os, signal, sys
class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == "rollout_conformance.steps.cli":
            os.kill(os.getpid(), signal.SIGTERM)
sys.meta_path.insert(0, Finder())
from rollout_conformance.steps.entry import main
main()
"""


@pytest.mark.parametrize("option", [["--report", "{}"], ["--report={}"], []])
def test_a_signal_before_anything_is_read_ends_it_too(option: list[str], report: Path) -> None:
    with Background(["-c", EARLY, "run", *(word.format(report) for word in option)]) as run:
        out, err = run.process.communicate(timeout=STARTED_S)
    assert (run.process.returncode, out) == (143, "")
    assert err == "Ended early by SIGTERM: no case had been played.\n"
    assert report.exists() == bool(option)
    assert not option or footer(report)["aborted"]


ORPHANS = """
import asyncio, sys, tempfile
from rollout_conformance.steps.engine.process import Process
async def main():
    with tempfile.TemporaryFile() as log:
        process = Process.start(["sh", "-c", "sleep 1000 & sleep 1000"], {}, log)
        print(process.pid, flush=True)
        await process.wait()
asyncio.run(main())
"""


def test_what_a_target_started_dies_too() -> None:
    with Background(["-c", ORPHANS]) as suite:
        assert suite.process.stdout is not None
        suite.process.stdout.readline()
        suite.until(lambda: len(suite.living()) == 5)  # the suite, its guard, the shell and what that started
        suite.send(signal.SIGKILL)


FAULT = """
from rollout_conformance.steps import case_catalog
def among(*arguments, **named):
    raise RuntimeError("one line\\nand another")
case_catalog.among = among
from rollout_conformance.steps.entry import main
main()
"""


def test_a_fault_of_the_suite_is_one_line() -> None:
    nobody = ["--target", "http://127.0.0.1:1"]
    with Background(["-c", FAULT, "run", *nobody], {"ROLLOUT_CONFORMANCE_DEBUG": ""}) as run:
        out, err = run.process.communicate(timeout=STARTED_S)
    assert run.process.returncode == 2
    assert err.startswith(
        "rollout-conformance: this is a fault of the suite, please report it: RuntimeError: one line and another, at run.py:"
    )
    assert (out, err.count("\n")) == ("", 1)


def test_its_traceback_can_be_asked_for() -> None:
    with Background(["-c", FAULT, "run"], {"ROLLOUT_CONFORMANCE_DEBUG": "1"}) as run:
        _, err = run.process.communicate(timeout=STARTED_S)
    assert run.process.returncode == 2
    assert "Traceback (most recent call last)" in err


def test_a_reader_that_has_gone_is_no_finding() -> None:
    with Background([RUN[0], RUN[1], "lint", "--list"]) as lint:
        assert lint.process.stdout is not None
        lint.process.stdout.close()
        lint.process.stdout = None
        _, err = lint.process.communicate(timeout=STARTED_S)
    assert (lint.process.returncode, err) == (2, "")


PYTEST = ["-m", "pytest", "-q", "-p", "no:cacheprovider"]
CASES = [*PYTEST, "features/rollout", "--dialect", "sync"]


def test_a_signal_ends_a_pytest_session_in_order(report: Path) -> None:
    with Background([*CASES, "--report", str(report)]) as session:
        session.until(lambda: len(session.living()) > 2)
        out, _ = session.send(signal.SIGTERM, within_s=STARTED_S)
        assert session.process.returncode == 143
        assert "ended early by SIGTERM" in out


def test_a_signal_ends_a_session_that_only_fuzzes(report: Path) -> None:
    with Background([*PYTEST, "contracts/rollout", "--dialect", "sync", "--report", str(report)]) as session:
        session.until(lambda: len(session.living()) > 2)
        out, _ = session.send(signal.SIGTERM, within_s=STARTED_S)
        assert session.process.returncode == 143
        assert "ended early by SIGTERM" in out
        assert footer(report)["ended_by"] == "SIGTERM"


UNUSED = """
import sys
import pytest
class Ended:
    def pytest_collection_finish(self):
        from rollout_conformance.steps.engine.early_end import ENDING, Reason
        ENDING.reason = Reason("SIGTERM", 143)
pytest.main([*sys.argv[1:]], plugins=[Ended()])
print("imported" if "hypothesis" in sys.modules else "left out")
"""


def test_a_session_that_ends_early_does_not_import_hypothesis_for_its_summary() -> None:
    shown = subprocess.run(  # noqa: S603
        [sys.executable, "-c", UNUSED, *CASES[2:]],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=STARTED_S,
        check=False,
    )
    assert shown.stdout.splitlines()[-1] == "left out", shown.stdout + shown.stderr


def test_a_pytest_session_ends_after_its_time(report: Path) -> None:
    with Background([*CASES, "--report", str(report), "--max-time", "1"]) as session:
        out, _ = session.process.communicate(timeout=STARTED_S)
        assert session.process.returncode == 2, out
        assert "ended early by --max-time 1" in out
        _until(lambda: not session.living(), WITHIN_S)
