"""The trace of a case as its result line holds it: every exchange with its headers, bodies, pieces and times, without secrets.

Of a long body the beginning is kept, and less of it where the case found nothing: what one reads then is a sample.
"""

from collections.abc import Mapping

from rollout_conformance.steps.engine.findings import Verdict
from rollout_conformance.steps.engine.outcome import Outcome
from rollout_conformance.steps.engine.redaction import MASK, redacted
from rollout_conformance.steps.engine.trace import Event, Exchange, Headers

MOST_EXCHANGES = 400  # of a case; one that floods the target has thousands that are equal
MOST_EVENTS = 1000
MOST_PIECES = 500  # of a body, whose times are kept
LONGEST_BODY, LONGEST_PASSED = 24_000, 6_000  # characters
LONGEST_HEADER = 1_000
SECRET_HEADERS = frozenset({"authorization", "proxy-authorization", "cookie", "set-cookie", "x-api-key", "api-key"})


def trace_member(outcome: Outcome) -> Mapping[str, object]:
    """The member `trace` of a result line; nothing where the case was not played."""
    trace = outcome.trace
    if trace is None or not trace.exchanges:
        return {}
    judged = outcome.judgement
    plain = judged.verdict in (Verdict.PASS, Verdict.SKIP) and not judged.findings
    longest = LONGEST_PASSED if plain else LONGEST_BODY
    return {
        "trace": {
            "exchanges": [_exchange(one, longest) for one in trace.exchanges[:MOST_EXCHANGES]],
            "backends": [_exchange(one, longest) for one in trace.behind[:MOST_EXCHANGES]],
            "left_out": max(0, len(trace.exchanges) - MOST_EXCHANGES),
            "events": [_event(one) for one in trace.events[:MOST_EVENTS]],
        }
    }


def _exchange(exchange: Exchange, longest: int) -> dict[str, object]:
    request, response = exchange.request, exchange.response
    told: dict[str, object] = {
        "n": exchange.n,
        "to_target": exchange.to_target,
        "part": exchange.rollout,
        "began": round(exchange.began, 4),
        "ended": round(exchange.ended, 4) if exchange.ended is not None else None,
        "method": request.method,
        "path": redacted(request.path),
        "headers": _headers(request.headers),
        "body": body_text(request.body, longest),
    }
    if exchange.fault is not None:
        told["fault"] = redacted(exchange.fault)
    if response is not None:
        told["response"] = {
            "status": response.status,
            "headers": _headers(response.headers),
            "body": body_text(response.body, longest),
        }
    if exchange.pieces:
        told["pieces"] = [[round(at, 4), size] for at, size in exchange.pieces[:MOST_PIECES]]
    return told


def _headers(headers: Headers) -> list[list[str]]:
    return [[name, redacted(_masked(name, value)[:LONGEST_HEADER])] for name, value in headers]


def _masked(name: str, value: str) -> str:
    """Of a credential the scheme stays: whether it is `Bearer` or `bearer` may be what a finding is about."""
    if name.lower() not in SECRET_HEADERS:
        return value
    scheme, blank, _ = value.partition(" ")
    return f"{scheme} {MASK}" if blank and "authorization" in name.lower() else MASK


def body_text(body: bytes, longest: int) -> str:
    """The beginning of a body as text, and how long it is where that is not all."""
    text = redacted(body[: 4 * longest].decode("utf-8", "replace"))
    if len(body) <= 4 * longest and len(text) <= longest:
        return text
    return f"{text[:longest]} ... ({len(body)} bytes)"


def _event(event: Event) -> list[object]:
    return [round(event.at, 4), event.rollout, event.role, event.name, event.exchange]
