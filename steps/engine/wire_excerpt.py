"""The exchanges that prove a finding, as the terminal shows them: request line, the headers and the part of the bodies that it is about."""

import re
from collections.abc import Iterator

from rollout_conformance.steps.engine import excerpt
from rollout_conformance.steps.engine.excerpt import Clues
from rollout_conformance.steps.engine.findings import Finding
from rollout_conformance.steps.engine.redaction import redacted
from rollout_conformance.steps.engine.trace import Exchange, Headers

SHOWN = 4  # exchanges of one finding
HEADER = re.compile(
    r"(?<![\w-])[A-Za-z]\w{0,40}+(?:-\w{1,40}+)+|\b(?:[Aa]llow|[Ll]ocation|[Aa]uthorization|[Dd]ate|[Cc]ookie)\b"
)


def wire_lines(finding: Finding, exchanges: list[Exchange]) -> list[str]:
    """The lines of the exchanges that the finding names."""
    numbers = [n for n in finding.shown_in if 0 <= n < len(exchanges)]
    return [line for n in numbers[:SHOWN] for line in exchange_lines(exchanges[n], finding)]


def exchange_lines(exchange: Exchange, finding: Finding) -> list[str]:
    """One exchange: `->` was sent to the server, `<-` came from it."""
    arrow = "->" if exchange.to_target else "<-"
    end = str(exchange.response.status) if exchange.response else exchange.fault or "no answer"
    head = f"#{exchange.n} {arrow} {exchange.request.method} {exchange.request.path}  +{exchange.began:.3f} s  => {end}"
    clues = Clues.of(finding.expected, finding.observed)
    names = {name.lower() for name in HEADER.findall(f"{finding.expected} {finding.observed}")}
    lines = [*_part("sent", exchange.request.headers, exchange.request.body, clues, names)]
    if exchange.response:
        lines += _part("got", exchange.response.headers, exchange.response.body, clues, names)
    return [redacted(head), *lines]


def _part(what: str, headers: Headers, body: bytes, clues: Clues, names: set[str]) -> Iterator[str]:
    for name, value in headers:
        if name in names:
            yield f"     {what} {redacted(f'{name}: {value}')}"
    if body:
        for line in excerpt.lines(body, clues):
            yield f"     {what} {redacted(line)}"
