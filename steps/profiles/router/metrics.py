"""Expectations about what the metrics of a router show."""

from collections.abc import Iterator
from dataclasses import dataclass

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
    """Requests that succeed before a reading of the metrics and requests that are rejected after it are counted by different metrics."""

    before: ResponseName
    "A reading before all requests."
    between: ResponseName
    "A reading after those that succeed."
    after: ResponseName
    "A reading after those that are rejected."

    def judge(self, view: CaseView, requirement: str) -> Iterator[Evidence]:
        readings = [samples(one.text) for one in view.named(self.before, self.between, self.after)]
        if len(readings) != 3:
            return
        before, between, after = readings
        served = {name for name, rise in rises(before, between).items() if rise > 0}
        rejected = {name for name, rise in rises(between, after).items() if rise > 0}
        ok = bool(served - rejected) and bool(rejected - served)
        observed = "no metric rose for the one and not for the other"
        yield evidence(requirement, ok, "different metrics for successes and rejections", observed)


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
