"""Wrong generation requests that are answered with a failure of the trainer: a rollout server sends a request again after such an answer. Pure."""

from collections.abc import Iterator

from rollout_conformance.steps.engine.findings import Evidence, evidence
from rollout_conformance.steps.engine.probe_result import answered
from rollout_conformance.steps.profiles.trainer.expectations import NO_BACKEND
from rollout_conformance.steps.profiles.trainer.state import Call, CaseView

NO_5XX = "TRAINER-303"


def failures(view: CaseView) -> Iterator[Evidence]:
    """Whether each request with something wrong in it was answered with another status than 5xx; 502, 503 and 504 show nothing."""
    for rollout in view.rollouts.values():
        for call in filter(_is_wrong, rollout.calls):
            response = view.exchange(call.n).response
            if response is not None and response.status not in NO_BACKEND:
                observed = f"a wrong generation request is answered {answered(response)}"
                yield evidence(NO_5XX, response.status < 500, "a 4xx to a wrong request", observed, call.n)


def _is_wrong(call: Call) -> bool:
    """Whether a request has something wrong in it; a long one, and one whose response was not awaited, has not."""
    return not (call.right or call.words or call.left)
