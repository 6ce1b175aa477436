"""The report: one JSON object a line, written as the run goes; a report without its last line is no evidence.

header, one case and one result line a case, one coverage line a contract that was fuzzed, one
line of what a soak measured, footer.
"""

import json
import threading
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import TracebackType
from typing import IO

from rollout_conformance.contracts.requirements import Requirement
from rollout_conformance.steps.engine import bug_reports
from rollout_conformance.steps.engine.cases import Case
from rollout_conformance.steps.engine.contract_coverage import Coverage
from rollout_conformance.steps.engine.findings import BROKEN, Finding, Verdict
from rollout_conformance.steps.engine.outcome import Outcome
from rollout_conformance.steps.engine.redaction import redacted
from rollout_conformance.steps.engine.report_trace import trace_member
from rollout_conformance.steps.engine.trace import Exchange, Trace

FORMAT = 2  # of the lines; in format 1, which had no such member, findings had `said` and `saw` for `expected` and `observed`
LONGEST_BODY = 2000  # characters of a body that a finding keeps


def suite_version() -> str:
    try:
        return version("rollout-conformance")
    except PackageNotFoundError:
        return "unknown"


class ReportWriter:
    """Writes a report; left by an exception, it closes the file as aborted."""

    def __init__(
        self, file: Path, header: Mapping[str, object], catalogue: Mapping[str, Requirement], planned: Iterable[Case]
    ) -> None:
        self.file, self.header, self.catalogue, self.planned = file, dict(header), catalogue, list(planned)
        self.verdicts: Counter[str] = Counter()
        self.requirements: dict[str, str] = {}
        self.aborted = False
        self.ended_by: str | None = None
        self.closing = threading.Lock()

    def __enter__(self) -> "ReportWriter":
        self.stream: IO[str] = self.file.open(
            "w", encoding="utf-8", errors="backslashreplace"
        )  # half a character, as JSON escapes it
        started = datetime.now(UTC).isoformat(timespec="seconds")
        self._line({"type": "header", "format": FORMAT, "suite": suite_version(), **self.header, "started": started})
        for case in self.planned:
            self._line(_case(case))
        return self

    def result(self, outcome: Outcome) -> None:
        self.verdicts[outcome.judgement.verdict] += 1
        for name, verdict in outcome.judgement.requirements.items():
            if self.requirements.get(name) not in BROKEN and not (
                verdict == Verdict.INCONCLUSIVE and name in self.requirements
            ):
                self.requirements[name] = verdict
        self._line(_result(outcome, self.catalogue))

    def coverage(self, contract: str, coverage: Coverage) -> None:
        """What the run exercised of a contract, and by name what it did not."""
        table = [{"operation": o, "kind": k, "exercised": seen, "of": all_} for o, k, seen, all_ in coverage.table()]
        missing = [f"{point.operation}  {point.kind}  {point.what}" for point in coverage.missing()]
        self._line({"type": "coverage", "contract": contract, "table": table, "never_exercised": missing})

    def soak(self, members: Mapping[str, object]) -> None:
        """What a soak measured."""
        self._line({"type": "soak", **members})

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close(aborted=self.aborted or kind is not None)

    def close(self, aborted: bool, ended_by: str | None = None) -> None:
        """Write the footer, once. `ended_by` is what ended an aborted run: a signal, or its time."""
        if not self.closing.acquire(blocking=False):
            return
        seen = sum(self.verdicts.values())
        skipped = self.verdicts[Verdict.SKIP]
        totals = {
            "planned": len(self.planned),
            "executed": seen - skipped,
            "skipped": skipped,
            "not_run": len(self.planned) - seen,
            "verdicts": dict(self.verdicts),
            "requirements": dict(Counter(self.requirements.values())),
        }
        self._line({"type": "footer", **totals, "aborted": aborted, "ended_by": ended_by or self.ended_by})
        self.stream.close()

    def _line(self, value: Mapping[str, object]) -> None:
        self.stream.write(redacted(json.dumps(value, ensure_ascii=False)) + "\n")
        self.stream.flush()


def _case(case: Case) -> dict[str, object]:
    return {
        "type": "case",
        "id": case.id,
        "name": case.name,
        "dialect": case.dialect,
        "at": str(case.at),
        "requirements": list(case.requirements),
    }


def _result(outcome: Outcome, catalogue: Mapping[str, Requirement]) -> dict[str, object]:
    judged = outcome.judgement
    return {
        "type": "result",
        "case": outcome.case.id,
        "verdict": judged.verdict,
        "reason": judged.reason,
        **({"known": judged.known, "flaky": judged.flaky} if judged.known else {}),
        "seconds": round(outcome.seconds, 4),
        "late_s": round(outcome.late_s, 4),
        "cpu_wait_s": round(outcome.cpu_wait_s, 4),
        "requirements": [
            {"id": name, "level": catalogue[name].level, "verdict": verdict}
            for name, verdict in judged.requirements.items()
        ],
        "findings": [_finding(finding, outcome, catalogue) for finding in judged.findings],
        **trace_member(outcome),
    }


def _finding(finding: Finding, outcome: Outcome, catalogue: Mapping[str, Requirement]) -> dict[str, object]:
    return {
        "requirement": finding.requirement,
        "level": finding.level({finding.requirement: catalogue[finding.requirement].level}),
        "expected": finding.expected,
        "observed": finding.observed,
        "state": finding.state,
        "at": str(finding.at or outcome.case.at),
        "strict_only": finding.strict_only,
        **({"known": finding.known} if finding.known else {}),
        **({"hint": finding.hint} if finding.hint else {}),
        "exchanges": _exchanges(finding, outcome.trace),
        "rerun": outcome.rerun,
        "reports": bug_reports.references(finding.requirement),
    }


def _exchanges(finding: Finding, trace: Trace | None) -> list[dict[str, object]]:
    if trace is None:
        return []
    return [_exchange(trace.exchanges[n]) for n in sorted(set(finding.exchanges)) if 0 <= n < len(trace.exchanges)]


def _exchange(exchange: Exchange) -> dict[str, object]:
    response = exchange.response
    return {
        "n": exchange.n,
        "direction": "to target" if exchange.to_target else "from target",
        "method": exchange.request.method,
        "path": exchange.request.path,
        "at": round(exchange.began, 4),
        "status": response.status if response else None,
        "fault": exchange.fault,
        "request_body": _cut(exchange.request.body),
        "response_body": _cut(response.body) if response else None,
    }


def _cut(body: bytes) -> str:
    text = redacted(body.decode("utf-8", "replace"))
    return text if len(text) <= LONGEST_BODY else f"{text[:LONGEST_BODY]} ... ({len(text)} characters)"
