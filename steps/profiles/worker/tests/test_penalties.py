"""A penalty that changes nothing is found, and only where it had to change something."""

import pytest

from rollout_conformance.steps.engine.target_card import Card
from rollout_conformance.steps.engine.trace import Trace
from rollout_conformance.steps.http.responses import Responses
from rollout_conformance.steps.profiles.worker.context import WorkerContext
from rollout_conformance.steps.profiles.worker.dialects import DIALECTS
from rollout_conformance.steps.profiles.worker.events import LENGTH, End, Tokens, Transcript
from rollout_conformance.steps.profiles.worker.expectations.penalties import Penalized
from rollout_conformance.steps.profiles.worker.job_spec import JobSpec
from rollout_conformance.steps.profiles.worker.view import JobResponse, WorkerView

DOUBTFUL, CERTAIN = -1.5, -0.01
LOOP, PLAIN = [1, 2, 3] * 8, [*range(24)]


def job(name: str, ids: list[int], logprob: float | None, *, status: int = 200) -> JobResponse:
    """One of the dialect `orcd` without ids where `logprob` is None."""
    dialect = DIALECTS["orcd" if logprob is None else "vllm-generate"]
    shown = [
        Tokens(n, f"<{one}>") if logprob is None else Tokens(n, ids=(one,), logprobs=(logprob,))
        for n, one in enumerate(ids)
    ]
    transcript = (
        Transcript((*shown, End(len(ids), LENGTH, "length", tokens=len(ids)))) if status == 200 else Transcript()
    )
    spec = JobSpec(name, "Hello!", max_tokens=len(ids))
    return JobResponse(name, 0, {}, status, None, spec=spec, dialect=dialect, transcript=transcript)


def verdict(plain: list[list[int]], other: list[list[int]], logprob: float | None, status: int = 200) -> bool | None:
    controls = [job(f"plain#{n}", ids, logprob) for n, ids in enumerate(plain)]
    jobs = [job(f"penalized#{n}", ids, logprob, status=status) for n, ids in enumerate(other)]
    context = WorkerContext(Card(), None, jobs[0].dialect)
    view = WorkerView(Trace(), Responses.of([*controls, *jobs]), context, worker=context)
    found = Penalized(of=("penalized",), control="plain").compare(jobs, view)
    return None if found is None else found.ok


@pytest.mark.parametrize("logprob", [DOUBTFUL, None])
def test_equal_outputs_with_repeated_tokens_are_accused(logprob: float | None) -> None:
    assert verdict([LOOP] * 3, [LOOP] * 3, logprob) is False


@pytest.mark.parametrize("logprob", [DOUBTFUL, CERTAIN, None])
def test_one_output_that_differs_is_an_effect(logprob: float | None) -> None:
    assert verdict([LOOP] * 3, [LOOP, LOOP, PLAIN], logprob) is True


def test_tokens_without_an_alternative_decide_nothing() -> None:
    assert verdict([LOOP] * 3, [LOOP] * 3, CERTAIN) is None


@pytest.mark.parametrize("logprob", [DOUBTFUL, None])
def test_outputs_without_repeated_tokens_decide_nothing(logprob: float | None) -> None:
    assert verdict([PLAIN] * 3, [PLAIN] * 3, logprob) is None


def test_one_output_with_repeated_tokens_decides_nothing() -> None:
    assert verdict([LOOP, PLAIN, PLAIN], [LOOP, PLAIN, PLAIN], DOUBTFUL) is None


def test_a_rejection_decides_nothing_and_an_error_of_the_server_is_accused() -> None:
    assert verdict([LOOP] * 3, [LOOP] * 3, DOUBTFUL, status=400) is None
    assert verdict([LOOP] * 3, [LOOP] * 3, DOUBTFUL, status=503) is None
    assert verdict([LOOP] * 3, [LOOP] * 3, DOUBTFUL, status=500) is False
