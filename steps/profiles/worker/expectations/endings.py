"""How a job ends: for which reason, after how many tokens, in time after a cancellation, and with its tokens as they were generated."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from rollout_conformance.steps.engine.json_diff import ABSENT, show
from rollout_conformance.steps.engine.verbs import phrase, verb
from rollout_conformance.steps.http.checks import Check, JudgesErrors, JudgesRejections
from rollout_conformance.steps.http.references import ResponseName
from rollout_conformance.steps.profiles.worker.dialects.base import integer
from rollout_conformance.steps.profiles.worker.events import CANCELLED, ENDS, EOS, ERROR, LENGTH, UNKNOWN
from rollout_conformance.steps.profiles.worker.expectations.base import JobExpectation, JudgesEnds
from rollout_conformance.steps.profiles.worker.view import JobResponse, WorkerView

Reason = Literal["length", "stop", "eos", "cancelled", "error"]
CANCEL_S = 5.0
ARRIVED_S = 0.75  # after which a job that was sent is at its worker, also while it waits there
MARGIN_S = 0.5  # a job that generates for longer after its cancellation was answered ignores it
IN_TIME, ABORTED = "WORKER-045", "WORKER-110"
EXACT = "WORKER-012"  # a job has as many tokens as its limit, whatever its case is about
AS_STREAMED = "WORKER-103"  # a response that is no stream has the reason that a stream has
SLOW_S = 0.2  # a shorter stream shows nothing of when its tokens were generated


def counted(job: JobResponse) -> int | None:
    """The number of tokens that a job reports, else the one that it shows."""
    end = job.transcript.end
    found = integer(end.tokens) if end is not None else None
    return found if found is not None else job.transcript.count


def ended(job: JobResponse) -> str:
    """How a job ended, as a message shows it."""
    if job.transcript.reason is None:
        return job.shown() if not job.is_success else "no terminal"
    return f"{job.reason} after {counted(job)} tokens, text {show(job.transcript.text)}"


@verb("ended", short="reasons", example=("length", "{of: a, reasons: [length, stop]}", "{reasons: length, tokens: 8}"))
@phrase("{of:responses} ends for the reason {reasons}")
@phrase("{of:several_responses} end for the reason {reasons}", example={"reasons": "length or stop"})
@phrase("{of:responses} ends for the reason {reasons} after {tokens:int} token(s)")
@dataclass(frozen=True, slots=True)
class Ended(JobExpectation):
    """The job ends for one of these reasons. Where the model ended its text, nothing is decided about another reason, unless the request said that
    the end of the text ends no job."""

    reasons: tuple[Reason, ...]
    "length, stop (a stop text), eos (the model ended its text), cancelled or error."
    tokens: int | None = None
    "The number of tokens of a job that ends for its length."

    @property
    def judges_ends(self) -> bool:
        return ERROR in self.reasons or CANCELLED in self.reasons

    def check(self, response: JobResponse, view: WorkerView) -> Check | None:
        job, reason = response, response.reason
        if reason is None or (reason == EOS and EOS not in self.reasons and not job.spec.ignores_eos):
            return None
        if reason not in self.reasons:
            return Check(False, f"an end for the reason {' or '.join(self.reasons)}", ended(job))
        found = counted(job)
        if self.tokens is None or reason != LENGTH or found is None:
            return Check(True, "", "")
        ok = found >= self.tokens and job.may_have(found, self.tokens)
        short_of_limit = EXACT if not ok and self.tokens == job.spec.max_tokens else ""
        return Check(ok, f"{self.tokens} tokens", ended(job), requirement=short_of_limit)


@verb("ended_or_rejected", example="{of: it, reasons: [length, eos]}")
@phrase("{of:responses} is rejected, or ends for the reason {reasons}", example={"reasons": "length or eos"})
@dataclass(frozen=True, slots=True)
class EndedOrRejected(JudgesErrors, JobExpectation):
    """The job is rejected with 4xx, or ends for one of these reasons."""

    reasons: tuple[Reason, ...]
    "As of `ended`."

    def check(self, response: JobResponse, view: WorkerView) -> Check | None:
        if response.is_busy or (response.is_success and response.reason is None):
            return None
        ok = response.reason in self.reasons if response.is_success else response.is_client_error
        if response.reason == LENGTH and counted(response) == 0 and response.spec.max_tokens:
            ok = False
        return Check(ok, f"4xx, or tokens and an end for the reason {' or '.join(self.reasons)}", ended(response))


@verb("carried_out", short="of", example=("it", "[first, second]"))
@phrase("{of:responses} is carried out")
@phrase("{of:several_responses} are carried out")
@dataclass(frozen=True, slots=True)
class CarriedOut(JobExpectation):
    """The job ends by itself, for whatever reason."""

    def check(self, response: JobResponse, view: WorkerView) -> Check | None:
        if response.is_success and response.transcript.reason is None:
            return None
        is_untold = (
            response.transcript.reason == UNKNOWN and not response.spec.stream
        )  # its text is there, and complete or not
        requirement = AS_STREAMED if is_untold and response.is_success else ""
        return Check(response.ran_out, "the job is carried out", ended(response), requirement=requirement)


@verb("carried_out_or_rejected", short="of", example="it")
@phrase("{of:responses} is carried out or rejected")
@phrase("{of:several_responses} are carried out or rejected")
@dataclass(frozen=True, slots=True)
class CarriedOutOrRejected(JudgesErrors, JobExpectation):
    """Either is right; an error of the server and a job without an end are wrong."""

    statuses: tuple[int, ...] = ()
    "The statuses of a rejection that are right; default: any 4xx."

    def check(self, response: JobResponse, view: WorkerView) -> Check | None:
        allowed = " or ".join(map(str, self.statuses)) or "4xx"
        expected = f"the job is carried out, or rejected with {allowed}"
        if response.is_success:
            return None if response.transcript.reason is None else Check(response.ran_out, expected, ended(response))
        rejected = response.status in self.statuses if self.statuses else response.is_client_error
        return Check(rejected, expected, response.shown())


@verb("cancelled", short="of", example=("a", "{of: a, within_s: 5}"))
@phrase("{of:response} ends as cancelled")
@dataclass(frozen=True, slots=True)
class Cancelled(JudgesEnds, JobExpectation):
    """The job ends as cancelled, soon after the client cancelled it. One that had ended before decides nothing."""

    within_s: float = CANCEL_S
    "The longest time from the response to the cancellation to the end of the job."

    def check(self, response: JobResponse, view: WorkerView) -> Sequence[Check] | Check | None:
        job, since, at = response, view.cancelled.get(response.name), response.ended_at()
        if since is None or at is None or not job.is_success:
            return None
        early = _may_have_come_before(job, since)
        if job.reason != CANCELLED and (at <= since or early):
            return None
        expected = f"the job ends as cancelled within {self.within_s:g} s"
        if job.reason in ENDS:
            return self._not_cancelled(job, expected, at, since)
        taken = at - since
        late = taken > self.within_s
        if late and taken - job.late_s <= self.within_s:
            return None
        return [
            Check(not late, expected, f"{taken:.2f} s, {ended(job)}", requirement=IN_TIME, timing=late),
            Check(job.reason == CANCELLED, expected, ended(job), requirement=IN_TIME),
            Check(True, "", "", requirement=ABORTED),
        ]

    def _not_cancelled(self, job: JobResponse, expected: str, at: float, since: float) -> Check | None:
        """An end by itself: the cancellation had no effect, or is reported as another reason."""
        found, limit = counted(job), job.spec.max_tokens
        if job.reason == EOS or found is None or limit is None:
            return None
        if found >= limit:
            if at - since < MARGIN_S + job.late_s:
                return None  # it may have ended before the cancellation arrived
            return Check(False, expected, ended(job), requirement=IN_TIME, timing=True)
        return Check(False, "the reason of a job that was cancelled", ended(job), requirement=ABORTED)


def _may_have_come_before(job: JobResponse, cancelled: float) -> bool:
    """Whether a cancellation may have come before its job: nothing was received of it, and it was not sent long before."""
    if job.chunks and job.chunks[0].at <= cancelled:
        return False
    return cancelled - job.began < ARRIVED_S + job.late_s


@verb("lasts", short="count", example="120")
@phrase("{of:response} has at least {count:int} tokens")
@dataclass(frozen=True, slots=True)
class Lasts(JobExpectation):
    """The job does not end for its length before so many tokens."""

    count: int
    "How many tokens."

    def check(self, response: JobResponse, view: WorkerView) -> Check | None:
        if response.is_success and not response.left and response.reason == LENGTH:
            found = counted(response)
            return Check(found is None or found >= self.count, f"at least {self.count} tokens", ended(response))
        return Check(True, "", "") if response.left else None


@verb("accepted", short="of", example="it")
@phrase("{of:responses} is accepted")
@dataclass(frozen=True, slots=True)
class Accepted(JudgesRejections, JobExpectation):
    """The job is accepted; the client need not read its stream to the end."""

    def check(self, response: JobResponse, view: WorkerView) -> Check | None:
        if response.status is None:
            return None
        return Check(response.is_success, "the job is accepted", response.shown())


@verb("reports_seed", short="of", example=("it", "{seed: 12345}"))
@phrase("{of:response} reports its seed")
@dataclass(frozen=True, slots=True)
class ReportsSeed(JobExpectation):
    """The job reports the seed that it uses, in its first or its last event."""

    seed: int | None = None
    "The seed that it has to be; default: any integer."

    def check(self, response: JobResponse, view: WorkerView) -> Check | None:
        if response.transcript.reason is None:
            return None
        found = response.transcript.seed
        if self.seed is not None and found is ABSENT:
            return None
        ok = type(found) is int and (self.seed is None or found == self.seed)
        return Check(ok, f"the seed {self.seed if self.seed is not None else 'as an integer'}", show(found))


@verb("failed", short="of", example="it")
@phrase("{of:responses} fails with an error event")
@dataclass(frozen=True, slots=True)
class FailsWithEvent(JudgesEnds, JobExpectation):
    """The job fails within its stream, which has an error event and no end. Where the model ended its text before, nothing is decided."""

    def check(self, response: JobResponse, view: WorkerView) -> Check | None:
        by_model = response.reason == EOS and not response.spec.ignores_eos
        if not response.is_success or response.transcript.reason is None or by_model:
            return None
        return Check(response.reason == ERROR, "an error event, and no end", ended(response))


@verb("not_failed", short="of", example="beside")
@phrase("{of:responses} does not fail")
@dataclass(frozen=True, slots=True)
class NotFailed(JudgesEnds, JobExpectation):
    """The job is carried out, whatever another job does."""

    def check(self, response: JobResponse, view: WorkerView) -> Check | None:
        if not response.is_success or response.transcript.reason is None:
            return None
        return Check(response.ran_out, "the job is carried out", ended(response))


@verb("has_terminal", short="of", example=("it", "{of: job, control: before}"))
@phrase("{of:response} has a terminal")
@dataclass(frozen=True, slots=True)
class HasTerminal(JudgesEnds, JobExpectation):
    """The stream of the job has a terminal: it is not cut. Where the job that nothing disturbed has none, or failed, nothing is decided here: that
    is WORKER-005, or its own failure."""

    control: ResponseName = ""
    "A job that nothing disturbed."

    def check(self, response: JobResponse, view: WorkerView) -> Check | None:
        controls = view.jobs_named(self.control) if self.control else []
        if not response.is_success or not all(one.ran_out for one in controls):
            return None
        observed = response.fault or ended(response)
        return Check(response.transcript.reason is not None, "a stream that ends with a terminal", observed)


@verb("incremental", short="of", example="it")
@phrase("the tokens of {of:response} arrive as they are generated")
@dataclass(frozen=True, slots=True)
class Incremental(JobExpectation):
    """The first token arrives in the first half of the time from the request to the end, and the tokens at more than one moment."""

    def check(self, response: JobResponse, view: WorkerView) -> Check | None:
        first, last = response.first_token_at(), response.ended_at()
        if first is None or last is None or last - response.began < SLOW_S or len(response.transcript.tokens) < 20:
            return None
        share = (first - response.began) / (last - response.began)
        observed = f"the first token after {first - response.began:.2f} s, the end after {last - response.began:.2f} s"
        if share > 0.5 and response.late_s > 0.1:
            return None
        return Check(share <= 0.5, "the first token in the first half of the time", observed, timing=share > 0.5)
