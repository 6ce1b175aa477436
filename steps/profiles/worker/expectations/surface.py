"""Identifiers of requests, and what the health of a worker describes."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rollout_conformance.steps.engine.findings import Evidence, evidence
from rollout_conformance.steps.engine.json_diff import ABSENT, show
from rollout_conformance.steps.engine.targets import GRACE_S
from rollout_conformance.steps.engine.verbs import phrase, verb
from rollout_conformance.steps.http.checks import Check, ComparedResponses, JudgesErrors, ResponseExpectation
from rollout_conformance.steps.http.references import ResponseName
from rollout_conformance.steps.http.responses import KeptResponse
from rollout_conformance.steps.profiles.worker.expectations.base import JudgesEnds
from rollout_conformance.steps.profiles.worker.expectations.endings import ended
from rollout_conformance.steps.profiles.worker.view import BEFORE, JobResponse, WorkerView

HEADER = "x-correlation-id"
UUID = re.compile(r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}")


@verb("correlated", short="of", example=("it", "all"))
@phrase("{of:responses} has the correlation id of its request, or a new one")
@phrase("{of:several_responses} have the correlation ids of their requests, or new ones")
@dataclass(frozen=True, slots=True)
class Correlated(ComparedResponses):
    """`X-Correlation-ID` is that of the request where it is a UUID, and else a new UUID, another for each response."""

    def compare(self, responses: list[KeptResponse], view: WorkerView) -> Check:
        made: set[str] = set()
        for response in responses:
            sent = view.trace.exchanges[response.n].request.header(HEADER)
            found = response.header(HEADER) or ""
            if sent is not None and UUID.fullmatch(sent):
                if found.lower() != sent.lower():
                    return Check(False, f"X-Correlation-ID {sent}", show(found))
                continue
            if not UUID.fullmatch(found) or found == sent or found in made:
                return Check(
                    False, "X-Correlation-ID with a new UUID", f"{show(found)} for the request with {show(sent)}"
                )
            made.add(found)
        return Check(True, "", "")


@verb("describes_worker", short="of", example="it")
@phrase("{of:response} describes the worker and its model")
@dataclass(frozen=True, slots=True)
class DescribesWorker(ResponseExpectation):
    """The health of a worker of the dialect `orcd` has the members of its specification, each with a value that can be."""

    def check(self, response: KeptResponse, view: WorkerView) -> Sequence[Check] | None:
        if not response.is_success:
            return None
        body = response.fields
        ready = body.get("status") == "healthy" and bool(body.get("worker_id"))
        observed = f"status {show(body.get('status', ABSENT))}, worker_id {show(body.get('worker_id', ABSENT))}"
        checks = [Check(ready, "the status healthy, and a worker_id", observed, requirement="WORKER-041")]
        wrong = {name: body.get(name, ABSENT) for name, right in MEMBERS.items() if not right(body.get(name, ABSENT))}
        shown = ", ".join(f"{name}: {show(value)}" for name, value in wrong.items())
        checks.append(Check(not wrong, "members that describe the model", shown, requirement="WORKER-042"))
        return checks


def _is_count(value: object) -> bool:
    return type(value) is int and value >= 0


MEMBERS: Mapping[str, Callable[[Any], bool]] = {
    "resident": lambda value: value is True,
    "quant_kind": lambda value: isinstance(value, str) and bool(value),
    "vram_bytes_used": _is_count,
    "tokenizer_kind": lambda value: value in ("gguf-bpe", "hf-json"),
    "vocab_size": lambda value: _is_count(value) and value > 0,
    "context_length": lambda value: value is None or (_is_count(value) and value > 0),
}


EARLY = "WORKER-111"
LEFT_S, WAITED = (
    0.4,
    0.8,
)  # a job has this long to run, in seconds, and a response that waits for it takes this part of that or more
LOADS_S = 2.0  # a job that takes longer than a later one by so much waited for the model; a first job may take longer for other reasons


@verb("healthy_when_ready", example="{of: early, job: early_job, control: later}")
@phrase("{of:response} is healthy only if {job:word} has its tokens as soon as {control:word}")
@dataclass(frozen=True, slots=True)
class HealthyWhenReady(JudgesErrors, ResponseExpectation):
    """A worker whose health is good takes jobs: one that was sent right after is not rejected, and has its tokens as soon as a later one."""

    job: ResponseName
    "The job that was sent right after the health check."
    control: ResponseName
    "A job that was sent later."

    def check(self, response: KeptResponse, view: WorkerView) -> Check | None:
        job, control = next(iter(view.jobs_named(self.job)), None), next(iter(view.jobs_named(self.control)), None)
        if response.status is None or job is None or control is None:
            return None
        status = response.fields.get("status", "healthy")
        if not response.is_success:
            return Check(True, "", "")
        expected = "no 2xx while the worker cannot take jobs"
        if status != "healthy" and view.worker.dialect.name == "orcd":
            return Check(False, expected, response.shown())
        if not job.is_success:
            return Check(False, expected, f"{response.status}, and the job after it: {job.shown()}")
        early, late = job.first_token_at(), control.first_token_at()
        if early is None or late is None:
            return None
        waited = (early - job.began) - (late - control.began)
        observed = f"{response.status}, and the job after it waited {waited:.2f} s longer than a later one"
        return Check(waited <= LOADS_S, expected, observed, timing=waited > LOADS_S)


@verb("answered_during", example="{of: check, job: job}")
@phrase("{of:response} arrives while {job:word} runs")
@dataclass(frozen=True, slots=True)
class AnsweredDuring(ResponseExpectation):
    """The response does not wait for the end of a job that was running when its request was sent."""

    job: ResponseName
    "The job; of several the one that ends last."

    def check(self, response: KeptResponse, view: WorkerView) -> Check | None:
        ends = [ended for one in view.jobs_named(self.job) if (ended := one.ended_at()) is not None]
        began = view.trace.exchanges[response.n].began
        if not ends or response.elapsed_s is None or (left := max(ends) - began) < LEFT_S:
            return None
        late = response.elapsed_s > WAITED * left
        if late and response.elapsed_s - response.late_s <= WAITED * left:
            return None
        expected = f"a response long before the end of {self.job}, {left:.2f} s later"
        return Check(not late, expected, f"a response after {response.elapsed_s:.2f} s", timing=late)


@verb("refused_or_carried_out", short="of", example="early")
@phrase("{of:response} is rejected at once, or waits and is carried out")
@dataclass(frozen=True, slots=True)
class RefusedOrCarriedOut(JudgesErrors, JudgesEnds, ResponseExpectation):
    """A job that comes too early is rejected, or waits and is carried out."""

    @property
    def may_be_refused(self) -> bool:
        """Whether a job without a response is judged here."""
        return True

    def check(self, response: KeptResponse, view: WorkerView) -> Check:
        expected = "the job is rejected at once, or waits and is carried out"
        if not isinstance(response, JobResponse) or not response.is_success:
            ok = response.is_client_error or response.status == 503
            return Check(ok, expected, response.shown(), requirement=EARLY)
        failed = response.transcript.failure
        if response.is_rejected_late:
            return Check(False, "4xx or 503 before the stream begins", ended(response), requirement=BEFORE)
        ok = response.ran_out or (failed is not None and failed.retriable is True)
        return Check(ok, expected, response.fault or f"reason {response.reason}", requirement=EARLY)


@verb("exits")
@phrase(f"the worker exits within {GRACE_S:g} s")
@dataclass(frozen=True, slots=True)
class Exits:
    """The worker that was stopped with SIGTERM exits by itself within 15 s."""

    def judge(self, view: WorkerView, requirement: str) -> list[Evidence]:
        if view.killed is None:
            return []
        expected = f"an exit within {GRACE_S:g} s of SIGTERM"
        return [evidence(requirement, not view.killed, expected, "it ran on", timing=True)]
