"""A report as one HTML file that needs nothing else: no script, no link, everything escaped."""

from collections.abc import Iterator
from html import escape

from rollout_conformance.steps.engine.bug_reports import SHOWN
from rollout_conformance.steps.engine.report_file import Broken, Exchange, Report, Result

MOST_FINDINGS = 2000  # of a page, which a browser still shows
MOST_EXCHANGES = 8  # of a finding

STYLE = """body{font:15px/1.5 system-ui,sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem;color:#1b1f24}
table{border-collapse:collapse;width:100%;margin:1rem 0}td,th{border-bottom:1px solid #d8dee4;padding:.3rem .6rem;text-align:left;
vertical-align:top}pre{background:#f6f8fa;padding:.8rem;overflow-x:auto;white-space:pre-wrap;word-break:break-word}
.fail,.ignored{color:#b42318;font-weight:600}.pass{color:#1a7f37}.skip,.inconclusive{color:#6e7781}.error{color:#9a6700;font-weight:600}
.banner{background:#b42318;color:#fff;padding:.8rem 1rem;font-weight:600}"""


def render(report: Report) -> Iterator[str]:
    """The whole page, piece by piece: of a large report it is never held at once."""
    title = f"{report.header.profile} conformance of {report.header.target}"
    yield f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(title)}</title><style>{STYLE}</style>'
    yield f"<h1>{escape(title)}</h1>"
    if report.aborted is not None:
        yield f'<p class="banner">Aborted: {escape(report.aborted)}. This is no evidence; run it again.</p>'
    yield from _facts(report)
    yield from _requirements(report)
    yield from _findings(report)
    yield from _cases(report)
    yield "</html>\n"


def _facts(report: Report) -> Iterator[str]:
    header, footer = report.header, report.footer
    facts = {
        "started": header.started,
        "suite": header.suite,
        "dialects": ", ".join(header.dialects),
        "tokenizer": header.tokenizer,
        "nulls": header.nulls,
    }
    if footer is not None:
        counts = (f"{footer.planned} planned", f"{footer.executed} executed", f"{footer.skipped} skipped")
        facts["cases"] = ", ".join((*counts, f"{footer.not_run} not run"))
        facts["verdicts"] = ", ".join(f"{count} {name}" for name, count in sorted(footer.verdicts.items()))
    yield from _table([], ([escape(name), escape(value)] for name, value in facts.items()))


def _requirements(report: Report) -> Iterator[str]:
    yield "<h2>Requirements</h2>"
    rows = (
        [escape(name), escape(level.upper()), _verdict(verdict)]
        for name, (level, verdict) in sorted(report.worst.items())
    )
    yield from _table(["requirement", "level", "verdict"], rows)


def _findings(report: Report) -> Iterator[str]:
    yield "<h2>Findings</h2>"
    if report.findings > MOST_FINDINGS:
        yield f"<p>The first {MOST_FINDINGS} of {report.findings} findings; the report has them all.</p>"
    found = ((result, finding) for result in report.results() for finding in result.findings)
    for _, (result, finding) in zip(range(MOST_FINDINGS), found, strict=False):
        yield _finding(result, finding)
    if not report.findings:
        yield "<p>None.</p>"


def _finding(result: Result, f: Broken) -> str:
    return (
        f"<h3>{escape(f.requirement)} {escape(f.level.upper())}</h3><p>{escape(result.case)}</p>"
        f"<pre>expected {escape(f.expected)}\nobserved {escape(f.observed)}\nat       {escape(f.at)}\nrerun    {escape(f.rerun)}</pre>"
        f"{_reports(f)}{_wire(f)}"
    )


def _reports(finding: Broken) -> str:
    if not finding.reports:
        return ""
    count = f"({len(finding.reports)} report{'s' if len(finding.reports) > 1 else ''})"
    return f"<p>{SHOWN}: {escape(', '.join(finding.reports))} {count}</p>"


def _wire(finding: Broken) -> str:
    if not finding.exchanges:
        return ""
    rows = [_exchange(one) for one in finding.exchanges[:MOST_EXCHANGES]]
    if (more := len(finding.exchanges) - len(rows)) > 0:
        rows.append(f"and {more} more exchanges, which only the report has")
    return f"<details><summary>exchanges</summary><pre>{escape(chr(10).join(rows))}</pre></details>"


def _exchange(e: Exchange) -> str:
    end = e.status or e.fault
    return f"#{e.n} {e.direction} {e.method} {e.path} => {end}\n{e.request_body}\n{e.response_body or ''}"


def _cases(report: Report) -> Iterator[str]:
    yield "<h2>Cases</h2>"
    rows = ([escape(r.case), _verdict(r.verdict), escape(r.reason), f"{r.seconds:.2f} s"] for r in report.results())
    yield from _table(["case", "verdict", "reason", "time"], rows)


def _verdict(verdict: str) -> str:
    return f'<span class="{escape(verdict)}">{escape(verdict)}</span>'


def _table(head: list[str], rows: Iterator[list[str]]) -> Iterator[str]:
    yield "<table>"
    if head:
        yield "<tr>" + "".join(f"<th>{escape(cell)}</th>" for cell in head) + "</tr>"
    for row in rows:
        yield "<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>"
    yield "</table>"
