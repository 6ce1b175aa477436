"""What a trainer must not show: its internals, and keys."""

from collections.abc import Iterator

from rollout_conformance.steps.engine import internal_error_patterns as inside
from rollout_conformance.steps.engine.findings import Evidence
from rollout_conformance.steps.engine.lenient_json import mapping
from rollout_conformance.steps.engine.trace import Exchange, parse
from rollout_conformance.steps.http.keys import recognisable
from rollout_conformance.steps.profiles.trainer.invariants.evidence import broken, satisfied
from rollout_conformance.steps.profiles.trainer.state import CaseView

LEAK = 300


def leaks(view: CaseView) -> Iterator[Evidence]:
    """No error body, and no error message of a record, exposes internals of the trainer; no response has a key."""
    keys = recognisable(rollout.hosted.key for rollout in view.rollouts.values() if rollout.hosted)
    for exchange in view.trace.exchanges:
        if not exchange.to_target or exchange.response is None:
            continue
        text = exchange.response.body.decode("utf-8", "replace")
        failed = exchange.response.status >= 400
        if any(key in text for key in keys):
            yield broken(LEAK if failed else 194, "no key in a response", "the key of a rollout", exchange.n)
            continue
        told = text if failed else _error_message(exchange)
        found = inside.leaked(told, inside.GENERAL, inside.Sent(inside.of_request(exchange.request)))
        if found:
            yield broken(LEAK, "an error in the trainer's own words", inside.excerpt(told, found), exchange.n)
        elif failed:
            yield satisfied(LEAK)


def _error_message(exchange: Exchange) -> str:
    """What a record says of its failure."""
    body = parse(exchange.response.body) if exchange.response and exchange.request.method == "GET" else None
    return str(mapping(body).get("error_message") or "")
