"""Judges a target of the gallery by a run of the suite, as a user would start it, and compares what it finds with what is known."""

import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from rollout_conformance.steps.engine import report_file
from rollout_conformance.steps.engine.findings import BROKEN, SuiteError, Verdict
from rollout_conformance.steps.engine.report_file import CaseLine, Report
from rollout_conformance.steps.gallery.entry import Entry, Expected

SUITE = "from rollout_conformance.steps.entry import main; main()"
WAIT_S = 60.0  # for a server that accepts connections before its model is loaded
REPORT = "run.ndjson"
LOG = "run.txt"


@dataclass(frozen=True, slots=True)
class Judged:
    """What a run of a target found: requirements by verdict, and cases by verdict."""

    entry: Entry
    seconds: float
    broken: frozenset[str]  # requirement ids, MUST and SHOULD
    musts: frozenset[str]  # those of them that are MUST, and have a finding that counts as one
    kept: frozenset[str]  # requirements that were judged in all of their cases and are not broken
    errors: int = 0  # cases that could not be judged

    @property
    def new(self) -> list[str]:
        """Accused, and not in the list of what is known."""
        return sorted(self.broken - {known.requirement for known in self.entry.description.expected})

    @property
    def gone(self) -> list[Expected]:
        """Known, and kept in this run."""
        return [known for known in self._always if known.requirement in self.kept]

    @property
    def unjudged(self) -> list[Expected]:
        """Known, and not judged by this run: that is no evidence of a mend."""
        return [known for known in self._always if known.requirement not in self.kept | self.broken]

    @property
    def _always(self) -> list[Expected]:
        return [known for known in self.entry.description.expected if not known.sometimes]

    @property
    def as_expected(self) -> bool:
        return not (self.new or self.gone or self.unjudged)


def judge(entry: Entry, environment: Path) -> Judged:
    """Raises `SuiteError` when the target could not be judged; `run.txt` in its environment has the whole output."""
    report, log = environment / REPORT, environment / LOG
    report.unlink(missing_ok=True)
    started = time.monotonic()
    # A target that is started makes its files there: it becomes another program, which removes none of them.
    with log.open("w") as output, tempfile.TemporaryDirectory(prefix="gallery-", ignore_cleanup_errors=True) as folder:
        code = subprocess.run(  # noqa: S603 - the suite itself
            command(entry, environment, report),
            check=False,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=environment,
            env={**os.environ, "TMPDIR": folder},
        ).returncode
    if code not in (0, 1) or not report.is_file():
        raise SuiteError(f"{entry.name} could not be judged (exit code {code}):\n{log.read_text()[-1500:]}")
    return read(entry, report, time.monotonic() - started)


def command(entry: Entry, environment: Path, report: Path) -> list[str]:
    about = entry.description
    words = [sys.executable, "-c", SUITE, "run", "--profile", about.profile, "--target", entry.target(environment)]
    words += ["--dialect", about.dialect] if about.dialect else []
    words += ["--card", str(entry.card)] if entry.card else []
    words += ["--wait", f"{WAIT_S:g}"]
    return [*words, "-j", str(about.jobs), "--max-time", f"{about.max_time_s:g}", "--report", str(report)]


def read(entry: Entry, file: Path, seconds: float) -> Judged:
    """Raises `SuiteError` when the run was aborted: what it did not come to is not known to be kept."""
    report = report_file.read(file)
    if report.aborted:
        raise SuiteError(f"{entry.name}: the run was aborted ({report.aborted}); see {file.with_name(LOG)}")
    worst = report.worst
    broken = {name for name, (_, verdict) in worst.items() if verdict in BROKEN}
    lower, undecided = _lower(report), _undecided(report)
    return Judged(
        entry=entry,
        seconds=seconds,
        broken=frozenset(broken),
        musts=frozenset(name for name in broken if worst[name][0] == "must" and name not in lower),
        kept=frozenset(
            name for name, (_, verdict) in worst.items() if verdict is Verdict.PASS and name not in undecided
        ),
        errors=report.footer.verdicts.get(Verdict.ERROR, 0) if report.footer else 0,
    )


def _lower(report: Report) -> set[str]:
    """The requirements that only findings of a lower level accuse."""
    levels: dict[str, set[str]] = {}
    for result in report.results():
        for finding in result.findings:
            levels.setdefault(finding.requirement, set()).add(finding.level)
    return {name for name, found in levels.items() if "must" not in found}


def _undecided(report: Report) -> set[str]:
    """The requirements that a case is about which could not be judged: it may have been the one that breaks them."""
    failed = {result.case for result in report.results() if result.verdict is Verdict.ERROR}
    cases = (line for line in report.lines() if isinstance(line, CaseLine) and line.id in failed)
    return {name for case in cases for name in case.requirements}
