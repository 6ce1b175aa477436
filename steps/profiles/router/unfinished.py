"""What a router may do about a response that it has begun to forward, when the backend does not complete it."""

from dataclasses import dataclass

from rollout_conformance.steps.engine.http_client import BROKEN_OFF
from rollout_conformance.steps.engine.verbs import phrase, verb
from rollout_conformance.steps.http.checks import Check
from rollout_conformance.steps.http.expectations import Status
from rollout_conformance.steps.http.responses import KeptResponse
from rollout_conformance.steps.profiles.chat.view import CaseView


@verb("status_or_broken_off", short="statuses", example=("[502, 503, 504]", "{of: both, statuses: [200, 502]}"))
@phrase("{of:responses} has status {statuses:statuses}, or breaks off", example={"of": "the response"})
@phrase("{of:several_responses} have status {statuses:statuses}, or break off")
@dataclass(frozen=True, slots=True)
class StatusOrBrokenOff(Status):
    """The response has one of these statuses, or the connection is closed before the body is complete. A router that forwards a body while
    it arrives has sent the status already, and has no other way to report a failure (RFC 9112 8)."""

    def check(self, response: KeptResponse, view: object) -> Check:
        assert isinstance(view, CaseView)
        fault = view.trace.exchanges[response.n].fault or ""
        if fault.startswith(BROKEN_OFF):
            return Check(True, "", "")
        found = super(StatusOrBrokenOff, self).check(response, view)  # slots: the class is made anew
        return Check(found.ok, f"{found.expected}, or a response that breaks off", found.observed)
