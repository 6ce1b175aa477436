"""One case as the checks read it: the responses to its jobs, each with its events, and when each job was cancelled."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from rollout_conformance.steps.engine.cases import Case
from rollout_conformance.steps.engine.lenient_json import listed, mapping
from rollout_conformance.steps.http.client_case import HttpView
from rollout_conformance.steps.http.responses import KeptResponse, responses_of
from rollout_conformance.steps.profiles.worker.context import WorkerContext, WorkerSession
from rollout_conformance.steps.profiles.worker.dialects.base import FRAMED, READABLE, Dialect
from rollout_conformance.steps.profiles.worker.events import EOS, STOP, Transcript
from rollout_conformance.steps.profiles.worker.job_spec import JobSpec
from rollout_conformance.steps.sse.streams import StreamedResponse

SHUTDOWN = "/shutdown"
BUSY = (429, 503)
FAILED = (
    500,
    "generation",
    "incomplete_generation",
    "INFERENCE_FAILED",
    "INTERNAL",
)  # what servers call a job that failed
BEFORE, LATE = "WORKER-034", "4xx before the stream begins"


@dataclass(frozen=True, slots=True)
class JobResponse(StreamedResponse):
    """The response to a job. `transcript` is what its events mean; empty for a response that is none of the dialect's. `began` is
    when the request was sent, in seconds since the case began, `read_at` the time of day when its response had been read (POSIX);
    `odd_bytes` where a body that is not kept whole was no UTF-8."""

    spec: JobSpec = field(kw_only=True)
    dialect: Dialect = field(kw_only=True)
    transcript: Transcript = field(kw_only=True)
    began: float = field(kw_only=True, default=0.0)
    read_at: float = field(kw_only=True, default=0.0)
    odd_bytes: bytes = field(kw_only=True, default=b"")

    @property
    def is_stream(self) -> bool:
        return (self.header("content-type") or "").partition(";")[0].strip().lower() == "text/event-stream"

    @property
    def stops(self) -> list[str]:
        """The stop texts of the request, wherever the dialect writes them."""
        places = (self.request, *(mapping(self.request.get(name)) for name in ("sampling_params", "parameters")))
        found: object = next((place["stop"] for place in places if "stop" in place), [])
        return [one for one in listed(found) if isinstance(one, str)]

    @property
    def is_unreadable(self) -> bool:
        """Whether events could not be read as the dialect writes them, so that tokens are missing or repeated."""
        return any(breach.requirement in (READABLE, FRAMED) for breach in self.transcript.breaches)

    @property
    def reason(self) -> str | None:
        """Why the job ended. A stop without a stop text in the request is an end of the model's own."""
        reason, end = self.transcript.reason, self.transcript.end
        merged = self.dialect.name in ("vllm-generate", "sglang")  # which have one word for both
        if (
            reason == STOP
            and merged
            and not self.spec.stop
            and not (end and isinstance(end.matched, str) and end.matched)
        ):
            return EOS
        return reason

    @property
    def is_rejected_late(self) -> bool:
        """Whether all that the stream has is an error: a rejection that came too late to be a status. One with the number of a server error,
        or a word for it, is that of a job that failed."""
        failure = self.transcript.failure
        if failure is None or self.transcript.tokens or self.transcript.started:
            return False
        return failure.code not in FAILED

    @property
    def is_busy(self) -> bool:
        """Whether the job was rejected for want of a slot: that shows nothing else."""
        return self.status in BUSY

    @property
    def ran_out(self) -> bool:
        """Whether the job ended by itself and completely, so that its output is all there is."""
        return self.is_success and self.fault is None and not self.left and self.transcript.is_complete

    def may_have(self, tokens: int, limit: int) -> bool:
        """Whether a job with this limit may have so many tokens: in some dialects those that complete its last character come on top,
        and some servers sample a first token before they look at the limit."""
        last = self.transcript.text[-1:].encode("utf-8", "replace")
        return tokens <= max(limit, 1) or (self.dialect.completes and tokens - limit < len(last))

    def first_token_at(self) -> float | None:
        """When the first token arrived, in seconds since the case began."""
        tokens = self.transcript.tokens
        return self.chunks[tokens[0].at].at if tokens and tokens[0].at < len(self.chunks) else None

    def ended_at(self) -> float | None:
        """When the job ended, in seconds since the case began."""
        terminals = self.transcript.terminals
        return self.chunks[terminals[0].at].at if terminals and terminals[0].at < len(self.chunks) else None


@dataclass(frozen=True, slots=True)
class WorkerView(HttpView[KeptResponse, WorkerContext]):
    """`cancelled` is when the cancellation of each job was answered, in seconds since the case began, by the name of its response,
    `cancelled_ids` the ids that were; `waited` for what the case waited in vain; `stopped` when the case stopped the worker, in seconds since
    it began, `killed` whether it did not exit then; None where none was stopped."""

    worker: WorkerContext = field(kw_only=True)
    cancelled: Mapping[str, float] = field(default_factory=dict, kw_only=True)
    cancelled_ids: frozenset[str] = field(default=frozenset(), kw_only=True)
    unplayable: str = field(default="", kw_only=True)
    waited: str = field(default="", kw_only=True)
    stopped: float | None = field(default=None, kw_only=True)
    killed: bool | None = field(default=None, kw_only=True)
    unowed: frozenset[int] = field(default=frozenset(), kw_only=True)

    @property
    def judged(self) -> list[KeptResponse]:
        """All responses but those that the client left, to which nothing is owed any more, and those of `unowed` exchanges."""
        left = {one.n for one in self.jobs if one.left}
        return [one for one in self.responses if one.n not in left and one.n not in self.unowed and not one.is_reading]

    @property
    def jobs(self) -> list[JobResponse]:
        return [one for one in self.responses if isinstance(one, JobResponse)]

    def jobs_named(self, *words: str) -> list[JobResponse]:
        return [one for one in self.named(*words) if isinstance(one, JobResponse)]


def read(session: WorkerSession, case: Case) -> WorkerView:
    return WorkerView(
        session.trace,
        responses_of(session),
        session.context,
        worker=session.context,
        cancelled=session.state.get("cancels", {}),
        cancelled_ids=frozenset(session.state.get("cancelled_ids", ())),
        unplayable=session.state.get("unplayable", ""),
        waited=next((what for _, what in session.state.get("wait_timeouts", ())), ""),
        stopped=_stopped(session),
        killed=session.state.get("killed"),
    )


def _stopped(session: WorkerSession) -> float | None:
    """When the case stopped the worker, with a signal or with a request for it."""
    requests = (one.began for one in session.trace.exchanges if one.request.path == SHUTDOWN)
    return session.state.get("stopped", next(requests, None))
