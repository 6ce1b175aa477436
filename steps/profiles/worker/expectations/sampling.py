"""What sampling parameters leave, and what the log probabilities of a prompt and the stop tokens of a job have to do with an output."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rollout_conformance.steps.engine.json_diff import show
from rollout_conformance.steps.engine.verbs import phrase, verb
from rollout_conformance.steps.http.checks import Check, JudgesErrors
from rollout_conformance.steps.http.references import ResponseName
from rollout_conformance.steps.profiles.worker.events import EOS, LENGTH, STOP
from rollout_conformance.steps.profiles.worker.expectations.base import JobExpectation, JobsTogether, complete
from rollout_conformance.steps.profiles.worker.expectations.endings import counted, ended
from rollout_conformance.steps.profiles.worker.view import JobResponse, WorkerView

SEVERAL = 12  # outputs that equally likely tokens do not make all different
LESS = 0.25  # a token with a log probability lower by more than this is not one of two that are equally likely
FAR = 1.0  # the difference of two log probabilities that no way to compute them explains


@verb("likeliest", example="{of: narrow, control: greedy}")
@phrase(
    "{of:names} have the likeliest tokens, which are those of {control:word}", example={"of": "narrow and narrower"}
)
@dataclass(frozen=True, slots=True)
class Likeliest(JobsTogether):
    """The sampling parameters leave only the likeliest token of each position, so that the outputs are that of a job at temperature 0. Where
    one first differs by a token that is as likely, nothing is decided: the model has two of them. Without log probabilities twelve outputs
    or more have to differ from the control and from each other: tokens that are equally likely at a few places do not make so many."""

    control: ResponseName
    "The job at temperature 0."

    def compare(self, responses: list[JobResponse], view: WorkerView) -> Check | None:
        control = next(iter(view.jobs_named(self.control)), None)
        if control is None or not complete([control, *responses]):
            return None
        if control.transcript.ids is None or control.transcript.logprobs is None:
            return _all_different(control, responses)
        found = [_less_likely(control, job, view.worker.tolerance) for job in responses]
        wrong = next((one for one in found if one is not None and not one.ok), None)
        return wrong or next((one for one in found if one is not None), None)


def _less_likely(control: JobResponse, job: JobResponse, tolerance: float) -> Check | None:
    """The first token that differs, where the worker's own log probability shows that it is less likely."""
    ids, likely = job.transcript.ids, control.transcript.ids
    if ids is None or likely is None:
        return None
    n = next((n for n, (one, other) in enumerate(zip(ids, likely, strict=False)) if one != other), None)
    if n is None:
        return Check(True, "", "")
    mine, theirs = _at(job.transcript.logprobs, n), _at(control.transcript.logprobs, n)
    if mine is None or theirs is None or mine >= theirs - LESS - tolerance:
        return None
    return Check(
        False,
        f"token {n}: {likely[n]}, log probability {theirs:.4g}",
        f"{job.name}: {ids[n]}, log probability {mine:.4g}",
    )


def _all_different(control: JobResponse, jobs: Sequence[JobResponse]) -> Check | None:
    texts = [job.transcript.text for job in jobs]
    if control.transcript.text in texts:
        return Check(True, "", "")
    if len(texts) < SEVERAL or len(set(texts)) < len(texts):
        return None
    expected = f"the text {show(control.transcript.text)}, as at temperature 0"
    return Check(False, expected, f"{len(texts)} jobs, each with another text, such as {show(texts[0])}")


def _at(values: Sequence[float | None] | None, n: int) -> float | None:
    return values[n] if values is not None and n < len(values) else None


@verb("scored", example="{of: scored, control: whole}")
@phrase("the log probabilities of the prompt of {of:response} are those of the output of {control:word}")
@dataclass(frozen=True, slots=True)
class ScoredAsPrompt(JobsTogether):
    """The tokens of another output, as the end of the prompt, have the log probabilities that they had as output: most of them within the
    tolerance of the card, and none far from it. A worker that shows none of a prompt decides nothing."""

    control: ResponseName
    "The job whose output is the end of the prompt."

    def compare(self, responses: list[JobResponse], view: WorkerView) -> Check | None:
        control = next(iter(view.jobs_named(self.control)), None)
        if control is None or not complete([control, *responses]):
            return None
        ids, values = control.transcript.ids, control.transcript.logprobs
        for job in responses:
            scores = job.transcript.prompt_logprobs
            count = len(job.spec.prompt_ids) - len(control.spec.prompt_ids)
            if scores is None or ids is None or values is None or count > min(len(ids), len(values)):
                return None
            if len(scores) < count:
                return Check(False, f"at least {count} log probabilities of the prompt", str(len(scores)))
            rows = [row or {} for row in scores[len(scores) - count :]]
            odd = [*_odd(ids[:count], values[:count], rows, view.worker.tolerance)]
            far = next((text for text, is_far in odd if is_far), None)
            if far or len(odd) * 2 > count:
                return Check(
                    False, "the log probabilities of the output, for its tokens in the prompt", far or odd[0][0]
                )
        return Check(True, "", "")


def _odd(
    ids: Sequence[int], values: Sequence[float | None], rows: Sequence[object], tolerance: float
) -> Iterator[tuple[str, bool]]:
    """The tokens whose log probability is another one in the prompt, each with whether it is far from it."""
    for n, (id, value, row) in enumerate(zip(ids, values, rows, strict=True)):
        found = row.get(id) if isinstance(row, dict) else None
        if value is not None and (found is None or abs(found - value) > tolerance):
            shown = f"{found:.4g}" if found is not None else f"none, but of {show(row)}"
            yield (
                f"token {n}, {id}: {value:.4g} in the output, {shown} in the prompt",
                found is None or abs(found - value) > FAR,
            )


@verb("excluded", short="of", example="other")
@phrase("{of:response} has none of the tokens that it excludes")
@dataclass(frozen=True, slots=True)
class Excluded(JobExpectation):
    """None of the tokens that the bias of the job excludes is in its output."""

    def check(self, response: JobResponse, view: WorkerView) -> Check | None:
        ids, excluded = response.transcript.ids, response.spec.excluded_ids
        if not ids or not excluded or not response.is_success:
            return None
        found = next((one for one in ids if one in excluded), None)
        observed = f"the token {found}, at position {ids.index(found)}" if found is not None else ""
        return Check(found is None, f"none of the tokens {show([*excluded])}", observed)


@verb("has_no_tokens", short="of", example="it")
@phrase("{of:response} has no tokens")
@dataclass(frozen=True, slots=True)
class HasNoTokens(JudgesErrors, JobExpectation):
    """The job has no tokens, or is rejected with 4xx. One token decides nothing: some servers sample it before they look at the limit."""

    def check(self, response: JobResponse, view: WorkerView) -> Check | None:
        if response.is_busy:
            return None
        tokens = len(response.transcript.ids or response.transcript.tokens)
        ok = tokens <= 1 if response.is_success else response.is_client_error
        observed = f"{tokens} tokens" if response.is_success else response.shown()
        return Check(ok, "no tokens, or 4xx", observed)


@verb("permitted", example="{of: it, texts: ['yes', 'no']}")
@phrase("{of:response} is one of the texts {texts}, or rejected")
@dataclass(frozen=True, slots=True)
class Permitted(JudgesErrors, JobExpectation):
    """The output is one of the texts that the grammar of the job permits, or the beginning of one where the limit came before. White space around
    it decides nothing. A worker without grammars may reject the job."""

    texts: tuple[str, ...]
    "The texts."

    def check(self, response: JobResponse, view: WorkerView) -> Check | None:
        if response.is_busy or (response.is_success and not response.ran_out):
            return None
        expected = f"one of {show([*self.texts])}, or 4xx"
        if not response.is_success:
            return Check(response.is_client_error, expected, response.shown())
        text = response.transcript.text.strip()
        is_begun = response.reason == LENGTH and any(one.startswith(text) for one in self.texts)
        return Check(text in self.texts or is_begun, expected, ended(response))


@verb("has_minimum", example="{of: cut, tokens: 12}")
@phrase("{of:response} does not end before {tokens:int} tokens")
@dataclass(frozen=True, slots=True)
class HasMinimum(JobExpectation):
    """The job does not end by itself before so many tokens."""

    tokens: int
    "The minimum that the request names."

    def check(self, response: JobResponse, view: WorkerView) -> Check | None:
        found = counted(response)
        if not response.ran_out or found is None:
            return None
        return Check(found >= self.tokens, f"at least {self.tokens} tokens", ended(response))


@verb("stopped_at_token", example="{of: cut, control: whole}")
@phrase("{of:response} ends at its stop token in the output of {control:word}")
@dataclass(frozen=True, slots=True)
class StoppedAtToken(JobsTogether):
    """The job ends at the first of its stop tokens in the output of the same job without them; the stop token is the last of the ids, or
    left out."""

    control: ResponseName
    "The job without stop tokens."

    def compare(self, responses: list[JobResponse], view: WorkerView) -> Check | None:
        control = next(iter(view.jobs_named(self.control)), None)
        if control is None or control.transcript.ids is None or not complete([control, *responses]):
            return None
        for job in responses:
            at = control.transcript.ids.index(job.spec.stop_ids[0])
            right = (control.transcript.ids[:at], control.transcript.ids[: at + 1])
            expected = f"an end for the reason stop with the ids {show([*right[1]])}"
            if job.reason not in (STOP, EOS) or (job.transcript.ids or ()) not in right:
                return Check(False, expected, f"{ended(job)}, ids {show([*(job.transcript.ids or ())])}")
        return Check(True, "", "")
