"""What a case may demand of a router at its limit: who is sent away, how, and that nobody else pays for it."""

from collections.abc import Iterator
from dataclasses import dataclass

from rollout_conformance.steps.engine.findings import Evidence, Finding, Satisfied
from rollout_conformance.steps.engine.json_diff import show
from rollout_conformance.steps.http.checks import verdict
from rollout_conformance.steps.profiles.chat.view import CaseView
from rollout_conformance.steps.profiles.router.expectations import plan

BUSY = (429, 503)


@dataclass(frozen=True, slots=True)
class Shed:
    """Of a crowd at most `places` are admitted, and those are answered; the others are told to come again while the engines still hold
    what was admitted."""

    places: int
    of: str = "crowd"

    def judge(self, view: CaseView, requirement: str) -> Iterator[Evidence]:
        replies = view.named(self.of)
        served = [reply for reply in replies if reply.status == 200]
        away = [reply for reply in replies if reply.status in BUSY]
        ok = 0 < len(served) <= self.places and len(served) + len(away) == len(replies) and bool(away)
        expected = f"1 to {self.places} answers, 429 or 503 for the others"
        yield verdict(requirement, ok, expected, show([reply.status for reply in replies]), *replies[:1])
        for reply in away:
            exchange = view.trace.exchanges[reply.n]
            after = exchange.response.header("retry-after") if exchange.response else None
            yield verdict(requirement, bool(after), "Retry-After", f"Retry-After: {show(after)}", reply)
            late = exchange.ended is None or exchange.ended > (plan(view).freed or 0.0)
            expected = "told at once, while the engines hold those before it"
            yield verdict(requirement, not late, expected, "told when they had been answered", reply)


@dataclass(frozen=True, slots=True)
class HeldBack:
    """While a client read nothing, the router did not take all of a stream from the engine."""

    def judge(self, view: CaseView, requirement: str) -> Iterator[Evidence]:
        if "poured" not in view.extra:
            return
        expected = "an engine that has to wait while nobody reads"
        observed = f"the router took all {plan(view).sent:,} bytes"
        yield Finding(requirement, expected, observed) if view.extra["poured"] else Satisfied(requirement)
