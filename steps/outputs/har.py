"""HAR 1.2 of the exchanges of a run, for the tools that read it: network panels of browsers, proxies, `har-to-*` converters.

An exchange that ended without a response has status 0, as browsers write it, and its fault in the comment.
"""

import io
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from urllib.parse import parse_qsl, urlsplit

from harfile import Browser, Content, Creator, HarFile, PostData, Record, Request, Response, Timings

from rollout_conformance.steps.engine import trace as wire
from rollout_conformance.steps.engine.outcome import Outcome
from rollout_conformance.steps.engine.redaction import redacted
from rollout_conformance.steps.engine.report import suite_version
from rollout_conformance.steps.outputs.curl import url_of
from rollout_conformance.steps.outputs.facts import RunFacts

HTTP = "HTTP/1.1"
SUITE = "rollout-conformance"


def render(facts: RunFacts) -> str:
    written = io.StringIO()
    creator = Creator(SUITE, suite_version())
    with HarFile.open(written, creator=creator, browser=Browser(SUITE, suite_version()), comment=facts.sentence) as har:
        for outcome, exchange, began in _exchanges(facts):
            took = 1000 * ((exchange.ended or exchange.began) - exchange.began)  # milliseconds
            har.add_entry(
                startedDateTime=began,
                time=took,
                request=_request(exchange, facts.target),
                response=_response(exchange),
                timings=Timings(send=0, wait=took, receive=0),
                comment=_comment(outcome, exchange),
            )
    return redacted(written.getvalue()) + "\n"


def _exchanges(facts: RunFacts) -> Iterator[tuple[Outcome, wire.Exchange, datetime]]:
    """Every exchange with the moment at which it began. A trace counts from its epoch, which is a time of the monotonic clock."""
    zero = datetime.now(UTC) - timedelta(seconds=time.monotonic())
    for outcome in facts.outcomes:
        if outcome.trace is not None:
            for exchange in outcome.trace.exchanges:
                yield outcome, exchange, zero + timedelta(seconds=outcome.trace.epoch + exchange.began)


def _request(exchange: wire.Exchange, target: str) -> Request:
    asked = exchange.request
    url = url_of(exchange, target)
    query = [Record(name, value) for name, value in parse_qsl(urlsplit(url).query, keep_blank_values=True)]
    kind = asked.header("content-type") or "application/octet-stream"
    body = PostData(kind, text=_text(asked.body)) if asked.body else None
    headers = _records(asked.headers)
    return Request(asked.method, url, HTTP, [], headers, query, body, bodySize=len(asked.body))


def _response(exchange: wire.Exchange) -> Response:
    got = exchange.response
    if got is None:
        return Response(0, "", HTTP)
    content = Content(len(got.body), mimeType=got.header("content-type") or "", text=_text(got.body))
    return Response(
        got.status,
        _phrase(got.status),
        HTTP,
        [],
        _records(got.headers),
        content,
        got.header("location") or "",
        bodySize=len(got.body),
    )


def _records(headers: wire.Headers) -> list[Record]:
    return [Record(name, value) for name, value in headers]


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""


def _text(body: bytes) -> str:
    return body.decode("utf-8", "backslashreplace")


def _comment(outcome: Outcome, exchange: wire.Exchange) -> str:
    """The case and the number by which a finding names the exchange."""
    accused = sorted({one.requirement for one in outcome.judgement.findings if exchange.n in one.exchanges})
    parts = [f"{outcome.case.name} [{outcome.case.dialect}] #{exchange.n}", *accused]
    return "; ".join([*parts, exchange.fault] if exchange.fault else parts)
