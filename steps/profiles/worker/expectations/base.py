"""The bases of expectations on jobs: responses to other requests are none of theirs."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rollout_conformance.steps.engine.findings import Evidence
from rollout_conformance.steps.http.checks import Check, ComparedResponses, ResponseExpectation
from rollout_conformance.steps.profiles.worker.view import JobResponse, WorkerView


class JudgesEnds:
    """What an expectation is that judges a job which fails or is cancelled as well."""

    __slots__ = ()

    @property
    def judges_ends(self) -> bool:
        return True


@dataclass(frozen=True, slots=True)
class JobExpectation(ResponseExpectation[JobResponse, WorkerView]):
    """A demand on each of some jobs."""

    @property
    def judges_ends(self) -> bool:
        """Whether a job that fails or is cancelled is judged here."""
        return False

    def judge(self, view: WorkerView, requirement: str) -> Iterator[Evidence]:
        for job in view.jobs_named(*self.of):
            found = self.check(job, view)
            for one in [found] if isinstance(found, Check) else found or ():
                yield one.evidence(requirement, job)


@dataclass(frozen=True, slots=True)
class JobsTogether(ComparedResponses[JobResponse, WorkerView]):
    """A demand on some jobs together; one that has not ended by itself decides nothing."""

    def judge(self, view: WorkerView, requirement: str) -> Iterator[Evidence]:
        jobs = view.jobs_named(*self.of)
        found = self.compare(jobs, view) if jobs else None
        if found is not None:
            yield found.evidence(requirement, *jobs)


def complete(jobs: Sequence[JobResponse]) -> bool:
    """Whether all of them ended by themselves."""
    return all(job.ran_out for job in jobs)
