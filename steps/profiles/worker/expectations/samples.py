"""Several outputs of one prompt: as many as were requested, each sampled for itself."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations

from rollout_conformance.steps.engine.json_diff import show
from rollout_conformance.steps.engine.lenient_json import mapping, mappings
from rollout_conformance.steps.engine.verbs import phrase, verb
from rollout_conformance.steps.http.checks import Check, JudgesErrors
from rollout_conformance.steps.profiles.worker.expectations.base import JobExpectation
from rollout_conformance.steps.profiles.worker.expectations.chance import explained
from rollout_conformance.steps.profiles.worker.expectations.endings import counted
from rollout_conformance.steps.profiles.worker.expectations.outputs import FEW_TOKENS, difference
from rollout_conformance.steps.profiles.worker.view import JobResponse, WorkerView

NEWER = ("llamacpp",)  # servers of which an older version does not know the member, and gives one output


@verb("samples", short="of", example="it")
@phrase("{of:response} has as many outputs as were requested, each sampled for itself")
@dataclass(frozen=True, slots=True)
class Samples(JudgesErrors, JobExpectation):
    """The response has as many outputs as the job requests, and no two of them are equal. Outputs of a few tokens decide nothing, nor do those
    that were likely by their own log probabilities. A worker that gives one output may reject the job."""

    def check(self, response: JobResponse, view: WorkerView) -> Check | None:
        if response.is_busy or response.status is None:
            return None
        wanted = response.spec.samples
        expected = f"{wanted} outputs, or 4xx"
        if not response.is_success:
            return Check(response.is_client_error, expected, response.shown())
        found = outputs(response)
        if len(found) == 1 and response.dialect.name in NEWER:
            return None
        if len(found) != wanted:
            return Check(False, expected, f"{len(found)} outputs")
        return _of_their_own(found, view.worker.tolerance)


def outputs(response: JobResponse) -> list[JobResponse]:
    """Each output of a response that is no stream, as a job of its own: those of a list, or the choices of one body."""
    choices = [{**mapping(response.body), "choices": [one]} for one in mappings(mapping(response.body).get("choices"))]
    bodies: Sequence[object] = choices or (response.body if isinstance(response.body, list) else [response.body])
    return [replace(response, transcript=response.dialect.read_whole(one)) for one in bodies]


def _of_their_own(found: Sequence[JobResponse], tolerance: float) -> Check | None:
    if not all(one.ran_out and (counted(one) or 0) >= FEW_TOKENS for one in found):
        return None
    for (n, one), (k, other) in combinations(enumerate(found), 2):
        if difference(one, other, 0.0, ("text", "ids")) is None:
            if explained([one, other], tolerance):
                return None
            observed = f"outputs {n} and {k}: {show(one.transcript.text or list(one.transcript.ids or ()))}"
            return Check(False, "an output of its own for each sample", observed)
    return Check(True, "", "")
