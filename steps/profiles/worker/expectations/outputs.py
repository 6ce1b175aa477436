"""What the outputs of several jobs have in common: equal, different, one the beginning of another, or growing with the limit."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Literal

from rollout_conformance.steps.engine.json_diff import show
from rollout_conformance.steps.engine.lenient_json import listed
from rollout_conformance.steps.engine.verbs import phrase, verb
from rollout_conformance.steps.http.checks import Check, JudgesErrors, JudgesRejections
from rollout_conformance.steps.http.references import ResponseName
from rollout_conformance.steps.profiles.worker.events import CANCELLED, ENDS
from rollout_conformance.steps.profiles.worker.expectations.base import JobsTogether, JudgesEnds, complete
from rollout_conformance.steps.profiles.worker.expectations.chance import explained
from rollout_conformance.steps.profiles.worker.expectations.endings import ended
from rollout_conformance.steps.profiles.worker.view import BEFORE, LATE, JobResponse, WorkerView

Part = Literal["text", "ids", "logprobs", "reason"]
PARTS: tuple[Part, ...] = ("text", "ids", "logprobs", "reason")
BROKEN = "�"
FEW_TOKENS = 8


def difference(
    first: JobResponse, second: JobResponse, tolerance: float, parts: Sequence[Part] = PARTS
) -> tuple[str, str] | None:
    """What two outputs differ in first, as both values; None where they are equal. What one of them does not show is not compared."""
    one, other = first.transcript, second.transcript
    if "ids" in parts and one.ids is not None and other.ids is not None and one.ids != other.ids:
        return f"ids {show(list(one.ids))}", f"ids {show(list(other.ids))}"
    if "text" in parts and one.text.rstrip(BROKEN) != other.text.rstrip(BROKEN):
        return f"text {show(one.text)}", f"text {show(other.text)}"
    if "reason" in parts and first.reason != second.reason:
        return f"reason {first.reason}", f"reason {second.reason}"
    if "logprobs" in parts and one.logprobs is not None and other.logprobs is not None:
        return _logprobs(one.logprobs, other.logprobs, tolerance)
    return None


def _logprobs(one: Sequence[float | None], other: Sequence[float | None], tolerance: float) -> tuple[str, str] | None:
    if len(one) != len(other):
        return f"{len(one)} log probabilities", f"{len(other)} log probabilities"
    for n, (mine, theirs) in enumerate(zip(one, other, strict=True)):
        if mine is not None and theirs is not None and abs(mine - theirs) > tolerance:
            return f"log probability {mine} of token {n}", f"log probability {theirs} of token {n}"
    return None


@verb("same_output", short="of", example=("[first, second]", "{of: [a, b], parts: [text, ids]}"))
@phrase("{of:several_responses} have equal output")
@phrase("{of:names} have equal output")
@dataclass(frozen=True, slots=True)
class SameOutput(JobsTogether):
    """Text, ids, log probabilities (within the tolerance of the card) and reasons are equal, as far as they are shown."""

    parts: tuple[Part, ...] = PARTS
    "What is compared."

    def compare(self, responses: list[JobResponse], view: WorkerView) -> Check | None:
        if len(responses) < 2 or not complete(responses):
            return None
        for job in responses[1:]:
            if found := difference(responses[0], job, view.worker.tolerance, self.parts):
                return Check(False, f"{responses[0].name}: {found[0]}", f"{job.name}: {found[1]}")
        return Check(True, "", "")


@verb("same_each", example="{of: together, control: alone}")
@phrase("each of the jobs {of:names} has the output of the same job of {control:word}")
@dataclass(frozen=True, slots=True)
class SameEach(JobsTogether):
    """Each of several jobs has the output of the job with the same number of another request that is sent several times."""

    control: ResponseName
    "The request whose jobs are compared."

    def compare(self, responses: list[JobResponse], view: WorkerView) -> Check | None:
        controls = view.jobs_named(self.control)
        pairs = [(a, b) for a, b in zip(controls, responses, strict=False) if a.ran_out and b.ran_out]
        for control, job in pairs:
            if found := difference(control, job, view.worker.tolerance, ("ids", "text", "reason")):
                return Check(False, f"{control.name}: {found[0]}", f"{job.name}: {found[1]}")
        return Check(True, "", "") if pairs and len(pairs) == len(responses) else None


@verb("different_outputs", short="of", example=("[first, second]", "{of: all}"))
@phrase("the outputs of {of:several_responses} are not all equal")
@dataclass(frozen=True, slots=True)
class DifferentOutputs(JobsTogether):
    """The outputs are not all equal. Outputs of a few tokens decide nothing: a model may end every one of them at once. Nor do equal outputs
    that were likely by their own log probabilities, or whose log probabilities show that the model has seen different prompts."""

    pairs: bool = False
    "Whether no two of them may be equal, where log probabilities show that this was no chance."

    def compare(self, responses: list[JobResponse], view: WorkerView) -> Check | None:
        if len(responses) < 2 or not complete(responses):
            return None
        if max(job.transcript.count or 0 for job in responses) < FEW_TOKENS:
            return None
        if self.pairs and (twice := _equal_pair(responses, view.worker.tolerance)):
            return twice
        same = all(difference(responses[0], job, 0.0, ("text", "ids")) is None for job in responses[1:])
        if same and explained(responses, view.worker.tolerance):
            return None
        return Check(
            not same, "outputs that are not all equal", f"{len(responses)} times {show(responses[0].transcript.text)}"
        )


@verb("different_or_rejected", short="of", example="all")
@phrase("the outputs of {of:several_responses} are not all equal, or their prompts are rejected")
@dataclass(frozen=True, slots=True)
class DifferentOrRejected(JudgesErrors, DifferentOutputs):
    """The same of prompts that a worker may have no room for: where one is rejected with 4xx, nothing is decided."""

    def compare(self, responses: list[JobResponse], view: WorkerView) -> Check | None:
        failed = next((one for one in responses if not one.is_success and not one.is_client_error), None)
        if failed is not None and not failed.is_busy:
            return Check(False, "the job is carried out, or rejected with 4xx", failed.shown())
        return DifferentOutputs.compare(self, responses, view)


def _equal_pair(jobs: Sequence[JobResponse], tolerance: float) -> Check | None:
    """Two jobs of several with equal outputs, which the log probabilities of the worker make unlikely."""
    for one, other in combinations([job for job in jobs if job.transcript.logprobs], 2):
        if difference(one, other, 0.0, ("text", "ids")) is None and not explained([one, other], tolerance):
            observed = f"{one.name} and {other.name}: {show(one.transcript.text or list(one.transcript.ids or ()))}"
            return Check(False, "an output of its own for each job", observed)
    return None


@verb("kept_part", example="{of: job, control: whole}")
@phrase(
    "{of:names} have the tokens that were generated before their cancellation, compared with {control:word}",
    example={"of": "one and two"},
)
@dataclass(frozen=True, slots=True)
class KeepsPart(JudgesEnds, JobsTogether):
    """The response to a cancelled job that is no stream has the tokens that it generated: the first ones of an equal job, and at least one,
    as an equal job that began later had some. One that ended before its cancellation decides nothing."""

    control: ResponseName
    "The equal job, which was not cancelled."

    def compare(self, responses: list[JobResponse], view: WorkerView) -> Check | None:
        control = next(iter(view.jobs_named(self.control)), None)
        if control is None or not control.ran_out:
            return None
        for job in responses:
            if job.reason != CANCELLED:
                return None
            if not job.transcript.ids:
                return Check(False, "the tokens that were generated before", f"{ended(job)}: no token ids", timing=True)
            if found := _not_begun(job, control):
                return Check(False, f"the beginning of {found[0]}", f"{job.name}: {found[1]}")
        return Check(True, "", "")


@verb("begins", example="{of: cancelled, control: whole}")
@phrase("the output of {of:names} is the beginning of that of {control:word}")
@dataclass(frozen=True, slots=True)
class Begins(JobsTogether):
    """The output is the beginning of the output of another job."""

    control: ResponseName
    "The job whose output is longer."

    def compare(self, responses: list[JobResponse], view: WorkerView) -> Check | None:
        control = next(iter(view.jobs_named(self.control)), None)
        if control is None or not control.ran_out or not all(job.transcript.tokens for job in responses):
            return None
        for job in responses:
            if (
                job.name in view.cancelled
                and job.reason in ENDS
                and len(job.transcript.tokens) < len(control.transcript.tokens)
            ):
                observed = (
                    f"{job.name}: {job.reason} after {len(job.transcript.tokens)} tokens, where {control.name} has more"
                )
                return Check(False, "the reason of a job that was cancelled", observed, requirement="WORKER-110")
            if found := _not_begun(job, control):
                return Check(False, f"the beginning of {found[0]}", f"{job.name}: {found[1]}")
        return Check(True, "", "")


def _not_begun(job: JobResponse, control: JobResponse) -> tuple[str, str] | None:
    ids, whole_ids = job.transcript.ids, control.transcript.ids
    if ids is not None and whole_ids is not None and whole_ids[: len(ids)] != ids[: len(whole_ids)]:
        return show(list(whole_ids)), show(list(ids))
    text, whole = job.transcript.joined.rstrip(BROKEN), control.transcript.text
    shorter, longer = sorted((text, whole), key=len)
    return None if longer.startswith(shorter) else (show(whole), show(text))


@verb("grows", short="of", example="[one, two, three]")
@phrase("the output of {of:names} grows by the text of each token")
@dataclass(frozen=True, slots=True)
class Grows(JobsTogether):
    """The limits of the jobs grow by one token each, and every output continues the one before by the text of this token. An output that is
    not all ASCII decides nothing where no text is added: a token may be a part of a character. Nor do outputs that go on behind the end of the
    text: special tokens have no text."""

    def compare(self, responses: list[JobResponse], view: WorkerView) -> Check | None:
        if len(responses) < 2 or not complete(responses):
            return None
        if any(job.spec.ignores_eos for job in responses):
            return None
        found = next(_lost(responses), None)
        return found or Check(True, "", "")


def _lost(jobs: Sequence[JobResponse]) -> Iterator[Check]:
    texts = [job.transcript.text.rstrip(BROKEN) for job in jobs]
    for n, (before, now) in enumerate(zip(["", *texts], texts, strict=False)):
        if not now.startswith(before):
            yield Check(False, f"{show(before)} and the text of one token more", show(now))
        rest = texts[-1][len(now) :]
        if now == before and rest and texts[-1].isascii() and jobs[n].reason == "length":
            yield Check(False, f"{show(before)} and the text of one token more, of {show(texts[-1])}", show(now))


@verb("each_output", example="{of: batch, controls: [first, second]}")
@phrase("{of:response} has the outputs of {controls:names}, in their order")
@dataclass(frozen=True, slots=True)
class EachOutput(JudgesErrors, JobsTogether):
    """The response to several prompts is a list with the output of each, in their order. A worker that takes one prompt may reject them."""

    controls: tuple[ResponseName, ...]
    "The same prompts, one a request."

    def compare(self, responses: list[JobResponse], view: WorkerView) -> Check | None:
        controls, batch = view.jobs_named(*self.controls), responses[0]
        if len(controls) != len(self.controls) or not complete(controls) or batch.is_busy or batch.status is None:
            return None
        expected = f"a list of {len(controls)} outputs, or 4xx"
        if not batch.is_success:
            return Check(batch.is_client_error, expected, batch.shown())
        outputs = [batch.dialect.read_whole(one) for one in listed(batch.body)]
        if len(outputs) != len(controls):
            return Check(False, expected, f"{len(outputs)} outputs")
        for n, (control, output) in enumerate(zip(controls, outputs, strict=True)):
            if found := difference(control, replace(control, transcript=output), 0.0, ("ids", "text")):
                return Check(False, f"output {n}: {found[0]}", found[1])
        return Check(True, "", "")


@verb("separate", example="{of: [a, b], controls: [alone_a, alone_b]}")
@phrase("{of:names} are separate or one of them is rejected, compared with {controls:names}")
@dataclass(frozen=True, slots=True)
class Separate(JudgesRejections, JudgesEnds, JobsTogether):
    """Two jobs with one id: each that is accepted has the output of its control; the others are rejected with a 4xx."""

    controls: tuple[ResponseName, ...]
    "The same jobs with ids of their own."

    def compare(self, responses: list[JobResponse], view: WorkerView) -> Check | None:
        controls = view.jobs_named(*self.controls)
        if len(controls) != len(responses) or not complete(controls) or any(job.is_busy for job in responses):
            return None
        accepted = [(job, control) for job, control in zip(responses, controls, strict=True) if job.is_success]
        expected = "each job is carried out as if it were alone, or rejected with 4xx; not both are rejected"
        odd = next((job for job in responses if not job.is_success and not job.is_client_error), None)
        if odd is not None or not accepted:
            return Check(False, expected, (odd or responses[0]).shown())
        late = next((job for job, _ in accepted if job.is_rejected_late), None)
        if late is not None:
            return Check(False, LATE, f"{late.name}: {ended(late)}", requirement=BEFORE)
        for job, control in accepted:
            if not job.ran_out and job.transcript.reason is not None:
                return Check(False, expected, f"{job.name}: {job.reason}")
            if job.ran_out and (found := difference(control, job, view.worker.tolerance, ("ids", "text", "reason"))):
                return Check(False, f"{control.name}: {found[0]}", f"{job.name}: {found[1]}")
        return Check(True, "", "")


@verb("same_or_rejected", example="{of: beyond, control: usual}")
@phrase("{of:response} has the output of {control:word}, or is rejected")
@dataclass(frozen=True, slots=True)
class SameOrRejected(JudgesErrors, JobsTogether):
    """The job is rejected with 4xx, or has the output of another."""

    control: ResponseName
    "The other job."

    def compare(self, responses: list[JobResponse], view: WorkerView) -> Check | None:
        control = next(iter(view.jobs_named(self.control)), None)
        for job in responses:
            if job.is_busy:
                return None
            if not job.is_success:
                return Check(job.is_client_error, "4xx, or the output of the other job", job.shown())
            if control is None or not control.ran_out or not job.ran_out:
                return None
            if found := difference(control, job, view.worker.tolerance, ("ids", "text")):
                return Check(False, f"{found[0]}, or 4xx", found[1])
        return Check(True, "", "")


@verb("continues_output", example="{of: continued, control: whole}")
@phrase("{of:response} has the log probabilities of the output of {control:word}")
@dataclass(frozen=True, slots=True)
class ContinuesOutput(JobsTogether):
    """The first token has the log probability that it has in the output whose first tokens are the prompt of the job."""

    control: ResponseName
    "The job whose output is continued."

    def compare(self, responses: list[JobResponse], view: WorkerView) -> Check | None:
        control = next(iter(view.jobs_named(self.control)), None)
        if control is None or not complete([control, *responses]):
            return None
        whole, values = control.transcript.ids, control.transcript.logprobs
        for job in responses:
            at = len(job.spec.prompt_ids) - len(control.spec.prompt_ids)
            ids, found = job.transcript.ids, job.transcript.logprobs
            if not ids or not found or whole is None or values is None or at >= min(len(whole), len(values)):
                return None
            if ids[0] != whole[at]:
                return None  # two tokens may be equally probable
            mine, theirs = found[0], values[at]
            if mine is None or theirs is None:
                return None
            ok = abs(mine - theirs) <= view.worker.tolerance
            if not ok:
                return Check(False, f"log probability {theirs} of token {whole[at]}", f"{mine}")
        return Check(True, "", "")
