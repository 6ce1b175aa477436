"""A report as one HTML file that needs nothing else: no script, no link, everything escaped."""

from html import escape
from typing import Any

from steps.engine.report import Report

STYLE = """body{font:15px/1.5 system-ui,sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem;color:#1b1f24}
table{border-collapse:collapse;width:100%;margin:1rem 0}td,th{border-bottom:1px solid #d8dee4;padding:.3rem .6rem;text-align:left;
vertical-align:top}pre{background:#f6f8fa;padding:.8rem;overflow-x:auto;white-space:pre-wrap;word-break:break-word}
.fail{color:#b42318;font-weight:600}.pass{color:#1a7f37}.skip,.inconclusive{color:#6e7781}.error{color:#9a6700;font-weight:600}"""


def render(report: Report) -> str:
    """The whole page."""
    header, footer = report.header, report.footer
    title = f"{header['profile']} conformance of {header['target']}"
    parts = [_facts(header, footer), _requirements(report), _findings(report), _cases(report)]
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(title)}</title><style>{STYLE}</style>'
        f"<h1>{escape(title)}</h1>{''.join(parts)}</html>\n"
    )


def _facts(header: dict[str, Any], footer: dict[str, Any]) -> str:
    facts = {
        "started": header["started"],
        "suite": header["suite"],
        "dialects": ", ".join(header["dialects"]),
        "tokenizer": header["tokenizer"],
        "nulls": header["nulls"],
        "cases": f"{footer['planned']} planned, {footer['executed']} executed, {footer['skipped']} skipped, {footer['not_run']} not run",
        "verdicts": ", ".join(f"{count} {name}" for name, count in sorted(footer["verdicts"].items())),
    }
    return _table([], [[escape(name), escape(str(value))] for name, value in facts.items()])


def _requirements(report: Report) -> str:
    worst: dict[str, tuple[str, str]] = {}
    order = ["fail", "pass", "inconclusive"]
    for result in report.results:
        for item in result["requirements"]:
            known = worst.get(item["id"])
            if known is None or order.index(item["verdict"]) < order.index(known[1]):
                worst[item["id"]] = (item["level"], item["verdict"])
    rows = [
        [escape(name), escape(level.upper()), _verdict(verdict)] for name, (level, verdict) in sorted(worst.items())
    ]
    return "<h2>Requirements</h2>" + _table(["requirement", "level", "verdict"], rows)


def _findings(report: Report) -> str:
    blocks = [
        f"<h3>{escape(f['requirement'])} {escape(f['level'].upper())}</h3><p>{escape(r['case'])}</p>"
        f"<pre>said  {escape(f['said'])}\nsaw   {escape(f['saw'])}\nat    {escape(f['at'])}\nrerun {escape(f['rerun'])}</pre>{_wire(f)}"
        for r in report.results
        for f in r["findings"]
    ]
    return "<h2>Findings</h2>" + ("".join(blocks) or "<p>None.</p>")


def _wire(finding: dict[str, Any]) -> str:
    rows = [
        f"#{e['n']} {e['direction']} {e['method']} {e['path']} => {e['status'] or e['fault']}\n{e['request_body']}\n{e['response_body'] or ''}"
        for e in finding["exchanges"]
    ]
    return f"<details><summary>exchanges</summary><pre>{escape(chr(10).join(rows))}</pre></details>" if rows else ""


def _cases(report: Report) -> str:
    rows = [
        [escape(r["case"]), _verdict(r["verdict"]), escape(r["reason"]), f"{r['seconds']:.2f} s"]
        for r in report.results
    ]
    return "<h2>Cases</h2>" + _table(["case", "verdict", "reason", "time"], rows)


def _verdict(verdict: str) -> str:
    return f'<span class="{escape(verdict)}">{escape(verdict)}</span>'


def _table(head: list[str], rows: list[list[str]]) -> str:
    top = "<tr>" + "".join(f"<th>{escape(cell)}</th>" for cell in head) + "</tr>" if head else ""
    return (
        "<table>"
        + top
        + "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
        + "</table>"
    )
