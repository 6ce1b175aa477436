"""Slots: that a job whose client has left gives its slot back, and that a job without a slot waits or is rejected."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from rollout_conformance.steps.engine.verbs import phrase, verb
from rollout_conformance.steps.http.checks import Check, JudgesErrors
from rollout_conformance.steps.http.references import ResponseName
from rollout_conformance.steps.profiles.worker.events import ERROR
from rollout_conformance.steps.profiles.worker.expectations.base import JobExpectation, JudgesEnds
from rollout_conformance.steps.profiles.worker.expectations.endings import ended
from rollout_conformance.steps.profiles.worker.view import BEFORE, BUSY, JobResponse, WorkerView

LEAST_S = 0.8  # of generation that is left over: a shorter time shows nothing


@verb("slot_is_free", example="{of: next, left: abandoned}")
@phrase("{of:response} has the slot of {left:word} long before that would have ended")
@dataclass(frozen=True, slots=True)
class SlotIsFree(JobExpectation):
    """The first token arrives before half of what another job had left to generate could have been generated. Decided on the variant
    `one_slot` of the target: where there are more slots, the job takes another one."""

    decides_on: ClassVar[str] = "one_slot"
    left: ResponseName
    "The job that was cancelled, or whose client disconnected."

    def check(self, response: JobResponse, view: WorkerView) -> Check | None:
        left, first, last = next(iter(view.jobs_named(self.left)), None), response.first_token_at(), response.ended_at()
        if left is None or first is None or last is None or left.spec.max_tokens is None or not response.ran_out:
            return None
        count = len(response.transcript.tokens)
        if count < 2:
            return None
        per_token = (last - first) / (count - 1)
        remaining = (left.spec.max_tokens - len(left.transcript.tokens)) * per_token
        if remaining < LEAST_S:
            return None
        waited = first - response.began
        late = waited > remaining / 2
        if late and waited - response.late_s <= remaining / 2:
            return None
        expected = f"the first token within {remaining / 2:.2f} s: {left.name} had {remaining:.2f} s left to generate"
        return Check(not late, expected, f"{waited:.2f} s", timing=late)


@verb("carried_out_or_busy", short="of", example="many")
@phrase("{of:names} are carried out, or rejected as the worker is busy")
@dataclass(frozen=True, slots=True)
class CarriedOutOrBusy(JudgesErrors, JudgesEnds, JobExpectation):
    """Each job is carried out, or rejected with 429 or 503; in the dialect `orcd` it should be `retriable`,
    where the body has that member."""

    def check(self, response: JobResponse, view: WorkerView) -> Sequence[Check] | Check | None:
        expected = "the job is carried out, or rejected with 429 or 503"
        if response.is_success:
            failed = response.transcript.failure
            if response.reason == ERROR and failed is not None and failed.retriable is True:
                return Check(True, "", "")
            if response.is_rejected_late:
                return Check(False, "429 or 503 before the stream begins", ended(response), requirement=BEFORE)
            return None if response.transcript.reason is None else Check(response.ran_out, expected, ended(response))
        found = [Check(response.status in BUSY, expected, response.shown())]
        if response.dialect.name == "orcd" and "retriable" in response.fields:
            ok = response.fields["retriable"] is True
            found.append(Check(ok, "retriable: true", response.shown(), cap="should"))
        return found
