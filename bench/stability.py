"""Prints how many verdicts of all cases against the references depend on the load: `python bench/stability.py`.

Each run is a process of its own, as users start it, and its report is compared with what is right: every case passes. `--only busy --only
j8`, `--profile router` and `--times 5` choose what is played; `--json FILE` keeps each verdict that differed, with its finding. Ends with 1
when one did, or when a run did not come to its end.
"""

import argparse
import contextlib
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rollout_conformance.steps.profiles import PROFILES

ROOT = Path(__file__).resolve().parents[1]
BUSY_LOOPS = 12
BUSY = "while True: pass"
SUITE = "from rollout_conformance.steps.entry import main; main()"
LONGEST_S = 1200.0  # of one run; the suite ends itself after --max-time


@dataclass(frozen=True)
class Condition:
    """What a run has beside it, and how many of its cases are in flight."""

    what: str
    jobs: int | None = None
    loops: int = 0
    beside: bool = False


CONDITIONS = {
    "idle": Condition("nothing beside it"),
    "busy": Condition(f"{BUSY_LOOPS} busy loops beside it", loops=BUSY_LOOPS),
    "second": Condition("a second suite beside it", beside=True),
    "j1": Condition("-j 1", jobs=1),
    "j8": Condition("-j 8", jobs=8),
    "j32": Condition("-j 32", jobs=32),
}


@dataclass(frozen=True)
class Other:
    """A verdict that should have been another one. `late_s` is by how much the suite itself was late in that case."""

    case: str
    verdict: str
    finding: str
    late_s: float | None


@dataclass(frozen=True)
class Played:
    """One run: what it ended with, how long it took, and what differed."""

    condition: str
    profile: str
    n: int
    code: int
    seconds: float
    cases: int
    others: tuple[Other, ...]

    @property
    def stable(self) -> bool:
        return self.code == 0 and not self.others


def suite(profile: str, report: Path, jobs: int | None) -> list[str]:
    words = [sys.executable, "-c", SUITE, "run", "--profile", profile, "--report", str(report)]
    return [*words, "-j", str(jobs)] if jobs else words


@contextlib.contextmanager
def started(words: list[str]) -> Iterator[None]:
    """A process for as long as something else is measured."""
    process = subprocess.Popen(  # noqa: S603 - of our own making, as below
        words, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        yield
    finally:
        process.terminate()
        process.wait()


@contextlib.contextmanager
def conditions(condition: Condition, folder: Path) -> Iterator[None]:
    with contextlib.ExitStack() as stack:
        for _ in range(condition.loops):
            stack.enter_context(started([sys.executable, "-c", BUSY]))
        if condition.beside:
            again = [sys.executable, str(Path(__file__).resolve()), "--beside", str(folder)]
            stack.enter_context(started(again))
        yield


def beside(folder: Path) -> None:
    """A second suite, again and again until this process is ended; the suite that runs then is ended with it."""
    import signal

    def end(number: int, frame: Any) -> None:
        raise SystemExit

    signal.signal(signal.SIGTERM, end)
    while True:
        process = subprocess.Popen(  # noqa: S603
            suite("rollout", folder / "beside.ndjson", None),
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            process.wait()
        finally:
            process.terminate()
            process.wait()


def read(report: Path) -> tuple[int, tuple[Other, ...]]:
    """How many verdicts a report has, and those that should have been another one."""
    lines = (
        [json.loads(line) for line in report.read_text(encoding="utf-8").split("\n") if line] if report.exists() else []
    )
    results = [line for line in lines if line["type"] == "result"]
    return len(results), tuple(
        other(result) for result in results if result["verdict"] != "pass" and not undeclared(result)
    )


def undeclared(result: dict[str, Any]) -> bool:
    """Whether a case was left out because the card of the reference does not declare what it needs: no load changes that."""
    return result["verdict"] == "skip" and str(result["reason"]).startswith("requires ")


def other(result: dict[str, Any]) -> Other:
    found = result["findings"][0] if result["findings"] else None
    told = shown_finding(found) if found else str(result["reason"])
    return Other(result["case"], result["verdict"], told, result.get("late_s"))


def shown_finding(found: dict[str, Any]) -> str:
    """Reports of format 1 have `said` and `saw` for `expected` and `observed`."""
    expected, observed = found.get("expected", found.get("said")), found.get("observed", found.get("saw"))
    return f"{found['requirement']}: {expected} / {observed}"


def played(name: str, profile: str, n: int) -> Played:
    condition = CONDITIONS[name]
    with tempfile.TemporaryDirectory(prefix="stability-") as folder:
        report = Path(folder) / "run.ndjson"
        with conditions(condition, Path(folder)):
            began = time.monotonic()
            code = subprocess.run(  # noqa: S603
                suite(profile, report, condition.jobs), cwd=ROOT, stdout=subprocess.DEVNULL, timeout=LONGEST_S
            ).returncode
            took = time.monotonic() - began
        cases, others = read(report)
    return Played(name, profile, n, code, took, cases, others)


def table(runs: list[Played]) -> Iterator[str]:
    yield "| condition | profile | runs | verdicts | differed | seconds |"
    yield "| --- | --- | --- | --- | --- | --- |"
    for name, profile in dict.fromkeys((run.condition, run.profile) for run in runs):
        some = [run for run in runs if (run.condition, run.profile) == (name, profile)]
        verdicts, differed = sum(run.cases for run in some), sum(len(run.others) for run in some)
        seconds = ", ".join(f"{run.seconds:.0f}" for run in some)
        yield f"| {CONDITIONS[name].what} | {profile} | {len(some)} | {verdicts} | {differed} | {seconds} |"


def shown(run: Played) -> Iterator[str]:
    yield f"{run.condition} {run.profile} {run.n}: exit {run.code}, {len(run.others)} of {run.cases} differed, {run.seconds:.1f} s"
    for one in run.others:
        late = "" if one.late_s is None else f" (the suite was {one.late_s:.1f} s late)"
        yield f"    {one.verdict} {one.case}{late}: {one.finding}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", choices=CONDITIONS, help="a condition; default: all of them")
    parser.add_argument("--profile", action="append", choices=PROFILES, help="default: all of them")
    parser.add_argument("--times", type=int, default=1, help="how often each is played")
    parser.add_argument("--json", type=Path, help="a file for the runs as JSON")
    parser.add_argument("--beside", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.beside is not None:
        beside(asked.beside)
    runs: list[Played] = []
    for n in range(1, asked.times + 1):
        for name in asked.only or CONDITIONS:
            for profile in asked.profile or PROFILES:
                runs.append(played(name, profile, n))
                print("\n".join(shown(runs[-1])), flush=True)
                if asked.json is not None:
                    asked.json.write_text(json.dumps([asdict(run) for run in runs], indent=1), encoding="utf-8")
    print("\n".join(["", *table(runs)]))
    unstable = sum(not run.stable for run in runs)
    print(f"\n{unstable} of {len(runs)} runs differed.")
    return 1 if unstable else 0


if __name__ == "__main__":
    sys.exit(main())
