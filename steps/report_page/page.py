"""The page, piece by piece: of a large report it is never held at once.

What is readable without JavaScript comes first, then the data of the viewer, a script element a case, which is parsed when it is opened.
"""

import functools
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from rollout_conformance.contracts.requirements import Requirement
from rollout_conformance.steps.engine.findings import BROKEN
from rollout_conformance.steps.engine.report_file import Report, Result
from rollout_conformance.steps.report_page.case_data import case_data
from rollout_conformance.steps.report_page.overview import CLOSING, CaseRow, Overview, amount
from rollout_conformance.steps.report_page.policy import policy
from rollout_conformance.steps.report_page.script_data import packed, script_data
from rollout_conformance.steps.report_page.soak_chart import charts
from rollout_conformance.steps.report_page.token_texts import Decode, TokenTexts

HERE = Path(__file__).parent
STYLES = ("base", "overview", "cases", "case", "lanes", "bodies", "tokens", "soak")
SCRIPTS = (
    "store", "theme", "text", "requests", "json_tree", "token_turns", "token_strip", "timeline",
    "sequence", "inspector", "case_view", "case_list", "main",
)  # fmt: skip
LONGEST_NAME = 80  # of a dialect or a requirement
MOST_FINDINGS = 2000  # in the page without JavaScript
MOST_DETAILS = (
    64 << 20
)  # characters, packed, of cases with findings, and half of it of others; what is beyond that only the report has
Find = Callable[[str], Result | None]


@dataclass(frozen=True, slots=True)
class Sources:
    """What the page says beside the report: the catalogue and the closing words of its profile, the texts of token ids, and the same cases
    of another run."""

    catalogue: Mapping[str, Requirement] = field(default_factory=dict)
    closing: str = CLOSING
    decode: Decode | None = None
    beside: "Beside | None" = None


@dataclass(frozen=True, slots=True)
class Beside:
    """Another run: its name, the name of this one then, and its result of a case by id."""

    name: str
    this: str
    find: Find


def render(report: Report, sources: Sources | None = None) -> Iterator[str]:
    """The whole page of a report."""
    sources = sources or Sources()
    overview = Overview.of(report, sources.catalogue, sources.closing)
    texts = TokenTexts(sources.decode)
    script, style = joined("app", SCRIPTS, "js"), joined("style", STYLES, "css")
    vendored = (HERE / "vendor" / "preact-htm.js").read_text(encoding="utf-8")
    return (
        environment()
        .get_template("page.html.jinja")
        .generate(
            overview=overview,
            report=report,
            policy=policy([vendored, script], [style]),
            vendored=Markup(vendored),  # noqa: S704 (of this package)
            script=Markup(script),  # noqa: S704 (of this package)
            style=Markup(style),  # noqa: S704 (of this package)
            facts=facts(report),
            charts=list(charts(overview.soak)) if overview.soak else [],
            index=index(overview, sources),
            details=_details(overview, sources, texts),
            tokens=lambda: texts.texts(),
            findings=lambda: islice(_plain(overview), MOST_FINDINGS),
            most_findings=MOST_FINDINGS,
        )
    )


def index(overview: Overview, sources: Sources) -> dict[str, Any]:
    """What the viewer knows of all cases."""
    requirements = {row.id[:LONGEST_NAME]: [row.level, row.sentence, row.why] for row in overview.requirements}
    return {
        "profile": overview.report.header.profile,
        "target": overview.report.header.target,
        "beside": [sources.beside.this, sources.beside.name] if sources.beside else None,
        "requirements": requirements,
        "causes": [
            {
                "requirement": cause.requirement[:LONGEST_NAME],
                "level": cause.level,
                "expected": cause.example.expected[:300],
                "observed": cause.example.observed[:300],
                "count": cause.count,
            }
            for cause in overview.causes.by_shape.values()
        ],
        "cases": [_row(row) for row in overview.rows],
    }


def _row(row: CaseRow) -> list[Any]:
    case = row.case
    told = [
        row.n,
        short(case.name),
        short(case.at),
        case.dialect[:LONGEST_NAME],
        row.verdict,
        row.seconds,
        short(row.reason),
    ]
    return [*told, row.causes, [one[:LONGEST_NAME] for one in case.requirements], row.known, row.weaker]


def facts(report: Report) -> list[tuple[str, str]]:
    """Where and how the run took place, by name."""
    header, footer = report.header, report.footer
    nulls = {"compat": "null counts as absent", "strict": "null does not count as absent"}
    known = {
        "target": header.target,
        "profile": header.profile,
        "dialects": ", ".join(header.dialects),
        "card": header.card or "",
        "backend": header.backend,
        "model": header.model or "",
        "fails on": header.level.upper(),
        "nulls": f"{header.nulls}: {nulls[header.nulls]}" if header.nulls in nulls else header.nulls,
        "tokenizer": header.tokenizer or "",
        "cases in flight": str(header.jobs or ""),
        "started": header.started,
        "suite": header.suite,
        **header.environment,
    }
    if footer is not None:
        known["cases"] = (
            f"{footer.planned} planned, {footer.executed} executed, {footer.skipped} skipped, {footer.not_run} not run"
        )
        known["ended by"] = footer.ended_by or ""
    return [(name, value) for name, value in known.items() if value]


def _details(overview: Overview, sources: Sources, texts: TokenTexts) -> Iterator[tuple[int, Markup]]:
    """The data of each case; of a report that is too large for a browser, first of all those with findings."""
    room = {True: MOST_DETAILS, False: MOST_DETAILS // 2}
    for place, result in enumerate(overview.report.results()):
        if (n := overview.numbers.get(place)) is None:
            continue
        data = case_data(n, result)
        if sources.beside is not None and (other := sources.beside.find(result.case)) is not None:
            data["beside"] = case_data(n, other)
        text = packed(data)
        kind = result.verdict in BROKEN or bool(result.findings)
        if room[kind] < len(text):
            continue
        room[kind] -= len(text)
        _note(texts, data)
        yield n, text


def _note(texts: TokenTexts, data: Mapping[str, Any]) -> None:
    for exchange in data["trace"]["exchanges"]:
        texts.note(exchange["body"])
        texts.note(exchange.get("response", {}).get("body", ""))
    if "beside" in data:
        _note(texts, data["beside"])


def _plain(overview: Overview) -> Iterator[dict[str, Any]]:
    """The findings one by one, for a browser without JavaScript."""
    for place, result in enumerate(overview.report.results()):
        if (n := overview.numbers.get(place)) is None:
            continue
        for nth, finding in enumerate(result.findings):
            yield {"n": n, "first": nth == 0, "case": overview.rows[n].case, "finding": finding}


def prose(text: str) -> Markup:
    """A sentence of the catalogue, in which code stands between backticks."""
    parts = text.split("`")
    marked = (
        Markup("<code>{}</code>").format(part) if n % 2 and n + 1 < len(parts) else part for n, part in enumerate(parts)
    )
    return Markup("").join(marked)


def short(text: str, longest: int = 300) -> str:
    """The beginning of a text: whatever a report has for a name, a page stays readable."""
    return text if len(text) <= longest else f"{text[:longest]} ... ({len(text)} characters)"


def joined(folder: str, names: Iterable[str], ending: str) -> str:
    return "\n".join((HERE / folder / f"{name}.{ending}").read_text(encoding="utf-8") for name in names)


@functools.cache
def environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["script_data"] = script_data
    environment.filters["prose"] = prose
    environment.filters["short"] = short
    environment.filters["amount"] = amount
    return environment
