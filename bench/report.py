"""Prints what the HTML page of a large report costs: `python bench/report.py [RUN.ndjson] [--cases 2000] [--megabytes 1000]`.

The cases of the given report, or of a made one, are repeated until there are so many. `report` runs as a process of its own; CPU seconds
beside seconds, because other programs share the machine. Where a browser is installed, the time until the page is ready for use. With
`--megabytes`, a report of that size besides.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import cycle, islice
from pathlib import Path
from typing import Any

from rollout_conformance.steps.report_page.tests import reports
from rollout_conformance.steps.report_page.tests.browser import executable, running

# Prints the peak of its own memory: that of `getrusage` begins with what the parent had when it forked.
COMMAND = """
import atexit, pathlib, sys
from rollout_conformance.steps.entry import main
atexit.register(lambda: print([line.split()[1] for line in pathlib.Path("/proc/self/status").open() if line.startswith("VmHWM")][0]))
sys.exit(main())
"""


def main() -> None:
    asked = argparse.ArgumentParser()
    asked.add_argument("report", type=Path, nargs="?")
    asked.add_argument("--cases", type=int, default=2000)
    asked.add_argument("--megabytes", type=int, default=0)
    given = asked.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        many = Path(folder) / "many.ndjson"
        write(many, islice(cycle(results(given.report)), given.cases))
        print(f"{given.cases} cases: {converted(many)}")
        if executable():
            print(f"opened: {opened(many.with_suffix('.html'))}")
        if given.megabytes:
            huge = Path(folder) / "huge.ndjson"
            write(huge, until(cycle(results(given.report)), given.megabytes << 20))
            print(f"{huge.stat().st_size >> 20} MB: {converted(huge)}")


def results(report: Path | None) -> list[dict[str, Any]]:
    """The result lines of a report."""
    if report is None:
        with tempfile.TemporaryDirectory() as folder:
            return results(reports.ordinary(Path(folder) / "ordinary.ndjson"))
    lines = (json.loads(line) for line in report.read_text(encoding="utf-8").split("\n") if line)
    return [line for line in lines if line["type"] == "result"]


def until(lines: Iterator[dict[str, Any]], size: int) -> Iterator[dict[str, Any]]:
    """As many lines as make up so many bytes."""
    while size > 0:
        line = next(lines)
        size -= len(json.dumps(line))
        yield line


def write(file: Path, lines: Iterator[dict[str, Any]]) -> None:
    """A report of these results, each of a case of its own."""
    with file.open("w", encoding="utf-8") as stream:
        stream.write(json.dumps({**reports.HEADER, "dialects": ["sync", "callback"]}) + "\n")
        for n, line in enumerate(lines, 1):
            stream.write(json.dumps({**line, "case": f"features/f{n % 40}.feature::case {n}[sync]"}) + "\n")
        stream.write(json.dumps(reports.footer(n)) + "\n")


def converted(file: Path) -> str:
    """Seconds and megabytes of `report`."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    command = [sys.executable, "-c", COMMAND, "report", str(file)]
    told = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603 (of this file)
    after, took = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter() - began
    busy = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    sizes = f"{file.stat().st_size >> 20} MB to {file.with_suffix('.html').stat().st_size >> 20} MB of HTML"
    return f"{took:.1f} s, {busy:.1f} s of CPU, {int(told.stdout.split()[-1]) // 1024} MB of memory at most; {sizes}"


def opened(page: Path) -> str:
    """Seconds until the list of the cases is there, and until the last case is."""
    with running() as browser:
        window = browser.new_page()
        window.set_default_timeout(120_000)
        began = time.perf_counter()
        window.goto(page.as_uri(), timeout=120_000)
        window.locator(".row").first.wait_for()
        listed = time.perf_counter() - began
        began = time.perf_counter()
        window.evaluate("location.hash = `case-${CASES.length - 1}`")
        window.locator("#case-title").wait_for()
        return f"{listed:.2f} s, a case {time.perf_counter() - began:.2f} s; load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"


if __name__ == "__main__":
    main()
