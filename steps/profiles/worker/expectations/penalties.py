"""Penalties on repeated tokens: that they have an effect."""

from collections.abc import Sequence
from dataclasses import dataclass

from rollout_conformance.steps.engine.json_diff import show
from rollout_conformance.steps.engine.verbs import phrase, verb
from rollout_conformance.steps.http.checks import Check, JudgesErrors
from rollout_conformance.steps.http.references import ResponseName
from rollout_conformance.steps.profiles.worker.expectations.base import JobsTogether
from rollout_conformance.steps.profiles.worker.expectations.outputs import difference
from rollout_conformance.steps.profiles.worker.view import JobResponse, WorkerView

REPEATED = 16  # repeated tokens of all outputs that could have been others
UNKNOWN = 2  # so many count as one where it is not known whether they could have been others
CERTAIN = -0.7  # a token with a higher log probability is so likely that a penalty need not change it
PAIRS = 2


@verb("penalized", example="{of: penalized, control: plain}")
@phrase("the penalty of {of:names} has an effect on the outputs of {control:word}", example={"of": "one and two"})
@dataclass(frozen=True, slots=True)
class Penalized(JudgesErrors, JobsTogether):
    """Jobs with a penalty on repeated tokens differ from equal jobs without one, with the same seeds. Of these, two or more must have repeated
    tokens that could have been others, by their log probabilities where these are shown, and all together many. A worker may reject the penalty."""

    control: ResponseName
    "The request without a penalty, sent as often."

    def compare(self, responses: list[JobResponse], view: WorkerView) -> Check | None:
        controls = view.jobs_named(self.control)
        failed = next((one for one in responses if not (one.is_success or one.is_client_error or one.is_busy)), None)
        if failed is not None and failed.status is not None:
            return Check(False, "the job is carried out, or rejected with 4xx", failed.shown())
        pairs = [(a, b) for a, b in zip(controls, responses, strict=False) if a.ran_out and b.ran_out]
        if any(difference(a, b, 0.0, ("text", "ids")) for a, b in pairs):
            return Check(True, "", "")
        shown = [a for a, _ in pairs if _repeated(a)]
        if len(shown) < PAIRS or len(pairs) < len(responses) or sum(map(_repeated, shown)) < REPEATED:
            return None
        plain = show(shown[0].transcript.text or list(shown[0].transcript.ids or ()))
        return Check(
            False, "an output that the penalty changes", f"{len(pairs)} outputs as without it, such as {plain}"
        )


def _repeated(job: JobResponse) -> int:
    """How many tokens occurred before and could have been others: of those without log probabilities, fewer are counted."""
    found = job.transcript
    tokens: Sequence[object] = found.ids if found.ids is not None else [one for one in found.token_texts if one]
    repeated = [n for n, one in enumerate(tokens) if one in tokens[:n]]
    values = found.logprobs
    if values is None or len(values) != len(tokens):
        return len(repeated) // UNKNOWN
    return sum(1 for n in repeated if (value := values[n]) is not None and value < CERTAIN)
