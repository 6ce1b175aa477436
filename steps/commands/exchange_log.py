"""The exchanges of a run as they end, on stderr: what `-v` shows."""

import contextlib
from collections.abc import Iterator

import click

from rollout_conformance.steps.engine.cases import Case
from rollout_conformance.steps.engine.redaction import redacted
from rollout_conformance.steps.engine.trace import Exchange
from rollout_conformance.steps.outputs.curl import curl

LONGEST = 65_536  # characters of a body; --har writes all of it


def lines(case: Case, exchange: Exchange, bodies: bool, target: str = "") -> Iterator[str]:
    """One line an exchange, `->` for what was sent to the target and `<-` for what came from it; with `bodies` the command that sends a
    request to the `target` again, and the other bodies."""
    response = exchange.response
    end = str(response.status) if response else exchange.fault or "no answer"
    took = "" if exchange.elapsed_s is None else f"  ({exchange.elapsed_s:.3f} s)"
    arrow = "->" if exchange.to_target else "<-"
    asked = f"{exchange.request.method} {exchange.request.path}"
    yield f"+{exchange.began:.3f} s  {case.name} [{case.dialect}]  #{exchange.n} {arrow} {asked} => {end}{took}"
    if bodies and exchange.to_target:
        yield f"    {curl(exchange, target)}"
    sent = b"" if exchange.to_target else exchange.request.body
    for name, body in (("sent", sent), ("got", response.body if response else b"")) if bodies else ():
        if body:
            text = body[: 4 * LONGEST].decode("utf-8", "backslashreplace")
            more = "" if len(body) <= LONGEST else f" ... ({len(body)} bytes; --har FILE has them all)"
            yield f"    {name:<4} {' '.join(text[:LONGEST].split())}{more}"


def show(case: Case, exchange: Exchange, bodies: bool, target: str = "") -> None:
    with contextlib.suppress(OSError):  # the terminal may be closed
        for line in lines(case, exchange, bodies, target):
            click.echo(redacted(line), err=True)
