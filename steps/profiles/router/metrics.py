"""Expectations about what the metrics of a router show."""

from dataclasses import dataclass

from rollout_conformance.steps.engine.verbs import phrase, verb
from rollout_conformance.steps.http.checks import Check, ResponseExpectation
from rollout_conformance.steps.http.responses import KeptResponse
from rollout_conformance.steps.profiles.chat.view import CaseView
from rollout_conformance.steps.profiles.router.backend_requests import script


@verb("no_client_values", short="of", example="metrics")
@phrase("{of:responses} has no API key and no value that a client sent")
@dataclass(frozen=True, slots=True)
class NoClientValues(ResponseExpectation):
    """A page of metrics has no API key and no value that a client sent, such as an id or the name of an unknown model."""

    def check(self, response: KeptResponse, view: CaseView) -> Check:
        context = view.context
        secrets = [script(view).nonce, *context.card.keys.values(), *([context.key] if context.key else [])]
        page = response.raw.decode("utf-8", "replace")
        found = next((line for line in page.splitlines() if any(one in line for one in secrets)), "")
        return Check(bool(page) and not found, "numbers, and names of the router's own", found or "an empty page")
