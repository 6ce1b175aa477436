"""The plainest job: it shows whether a worker can be judged at all."""

from rollout_conformance.steps.engine.cases import Case, Step
from rollout_conformance.steps.engine.findings import Location
from rollout_conformance.steps.engine.probe_result import PlainRequest, ProbeResult, key_source, result_of
from rollout_conformance.steps.profiles.worker.context import WorkerSession, jobs
from rollout_conformance.steps.profiles.worker.execute import Execute
from rollout_conformance.steps.profiles.worker.job_reading import transcript_of

HERE = Location("greeting", 1)


def greeting(dialect: str) -> Case:
    return Case("a plain job", "worker", dialect, ("WORKER-001",), (Step(Execute("Hello!", max_tokens=4), HERE),), HERE)


def probe_result(session: WorkerSession, case: Case) -> ProbeResult:
    """What the plainest job showed: every response but a 2xx is an obstacle. A stream that stays open after its terminal is none: the cases
    accuse it."""
    context = session.context
    readings = [job.reading for job in jobs(session).values() if job.reading is not None]
    if any(transcript_of(one, context.dialect, context.framing).terminals for one in readings):
        return ProbeResult()
    path = context.dialect.path
    plain = PlainRequest("job", f"POST {path}", key_source(context.target_key, context.card.key))
    return result_of(plain, session.trace.exchanges[-1])
