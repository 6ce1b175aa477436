"""Expectations about what the metrics of a router show."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from rollout_conformance.steps.engine.findings import Evidence, evidence
from rollout_conformance.steps.engine.verbs import phrase, verb
from rollout_conformance.steps.http.checks import Check, ResponseExpectation
from rollout_conformance.steps.http.metrics import rises, samples
from rollout_conformance.steps.http.references import ResponseName
from rollout_conformance.steps.http.responses import KeptResponse
from rollout_conformance.steps.profiles.chat.view import CaseView
from rollout_conformance.steps.profiles.router.backend_requests import script


@verb("rejections_counted_separately", example="{before: before, between: between, after: after}")
@phrase("between {before:response}, {between:response} and {after:response} rejections are counted separately")
@dataclass(frozen=True, slots=True)
class RejectionsCountedSeparately:
    """Some metric counts the requests that are rejected after a reading of the metrics, and not those that succeed before it. A total beside a count
    of failures is enough."""

    before: ResponseName
    "A reading before all requests."
    between: ResponseName
    "A reading after those that succeed."
    after: ResponseName
    "A reading after those that are rejected."

    def judge(self, view: CaseView, requirement: str) -> Iterator[Evidence]:
        readings = view.named(self.before, self.between, self.after)
        if len(readings) != 3:
            return
        served, rejected = (_counters(view, *pair) for pair in pairwise(readings))
        observed = "no metric rose by the number of rejections, and before not by that of successes"
        yield evidence(
            requirement, bool(rejected - served), "a metric that counts rejections and no successes", observed
        )


def _counters(view: CaseView, earlier: KeptResponse, later: KeptResponse) -> set[str]:
    """The metrics that rose by exactly the number of requests between two readings: others, such as seconds, rise with anything."""
    count = sum(earlier.n < one.n < later.n for one in view.responses)
    return {name for name, rise in rises(samples(earlier.text), samples(later.text)).items() if rise == count}


@verb("no_client_values", short="of", example="metrics")
@phrase("{of:response} has no API key and no value that a client sent")
@dataclass(frozen=True, slots=True)
class NoClientValues(ResponseExpectation):
    """A page of metrics has no API key and no value that a client sent, such as an id or the name of an unknown model."""

    def check(self, response: KeptResponse, view: CaseView) -> Check:
        context = view.context
        secrets = [script(view).nonce, *context.card.keys.values(), *([context.key] if context.key else [])]
        page = response.raw.decode("utf-8", "replace")
        found = next((line for line in page.splitlines() if any(one in line for one in secrets)), "")
        return Check(bool(page) and not found, "numbers, and names of the router's own", found or "an empty page")
