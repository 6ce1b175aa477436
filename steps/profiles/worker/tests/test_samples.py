"""Several outputs of one prompt: as many as requested, and no two equal but by chance."""

from typing import Any

import pytest

from rollout_conformance.steps.engine.target_card import Card
from rollout_conformance.steps.engine.trace import Trace
from rollout_conformance.steps.http.checks import Check
from rollout_conformance.steps.http.responses import Responses
from rollout_conformance.steps.profiles.worker.context import WorkerContext
from rollout_conformance.steps.profiles.worker.dialects import DIALECTS
from rollout_conformance.steps.profiles.worker.events import Transcript
from rollout_conformance.steps.profiles.worker.expectations.samples import Samples
from rollout_conformance.steps.profiles.worker.job_spec import JobSpec
from rollout_conformance.steps.profiles.worker.view import JobResponse, WorkerView

LIKELY, UNLIKELY = -0.001, -2.0
COUNT = 10  # tokens of an output


def vllm(*outputs: list[int], logprob: float = UNLIKELY) -> dict[str, Any]:
    choices = [
        {
            "index": n,
            "token_ids": ids,
            "finish_reason": "length",
            "logprobs": {"content": [{"token_id": one, "logprob": logprob} for one in ids]},
        }
        for n, ids in enumerate(outputs)
    ]
    return {"choices": choices, "usage": {"completion_tokens": sum(map(len, outputs)), "prompt_tokens": 3}}


def llamacpp(text: str) -> dict[str, Any]:
    return {"content": text, "tokens": [], "stop": True, "stop_type": "limit", "tokens_predicted": len(text)}


def judged(dialect: str, body: object, *, samples: int = 2, status: int = 200) -> Check | None:
    known = DIALECTS[dialect]
    spec = JobSpec("job-1", "Hello!", max_tokens=COUNT, temperature=1.5, samples=samples, stream=False)
    job = JobResponse("it", 0, {}, status, body, spec=spec, dialect=known, transcript=Transcript())
    context = WorkerContext(Card(), None, known)
    view = WorkerView(Trace(), Responses.of([job]), context, worker=context)
    return Samples(of=("it",)).check(job, view)


def is_right(found: Check | None) -> bool | None:
    return None if found is None else found.ok


ONE, OTHER = [*range(COUNT)], [*range(COUNT, 2 * COUNT)]


@pytest.mark.parametrize(
    ("outputs", "expected"),
    [([ONE, OTHER], True), ([ONE, ONE], False), ([ONE], False), ([ONE, OTHER, [*ONE, 1]], False)],
)
def test_as_many_as_requested_and_none_twice(outputs: list[list[int]], expected: bool) -> None:
    assert is_right(judged("vllm-generate", vllm(*outputs))) is expected


def test_the_second_and_the_third_may_not_be_equal_either() -> None:
    found = judged("vllm-generate", vllm(ONE, OTHER, OTHER), samples=3)
    assert found is not None
    assert not found.ok
    assert found.observed.startswith("outputs 1 and 2")


def test_equal_outputs_that_were_likely_decide_nothing() -> None:
    assert judged("vllm-generate", vllm(ONE, ONE, logprob=LIKELY)) is None


def test_equal_outputs_of_a_few_tokens_decide_nothing() -> None:
    assert judged("vllm-generate", vllm([1, 2], [1, 2])) is None


def test_a_rejection_is_right_and_an_error_of_the_server_is_not() -> None:
    assert is_right(judged("vllm-generate", {"error": "n"}, status=400)) is True
    assert is_right(judged("vllm-generate", {"error": "n"}, status=500)) is False
    assert judged("vllm-generate", {"error": "busy"}, status=503) is None


def test_an_older_llamacpp_has_one_output() -> None:
    assert judged("llamacpp", llamacpp("abcdefghij")) is None
    assert is_right(judged("llamacpp", [llamacpp("abcdefghij"), llamacpp("jihgfedcba")])) is True


def test_sglang_answers_with_a_list() -> None:
    def output(ids: list[int]) -> dict[str, Any]:
        meta = {"finish_reason": {"type": "length"}, "completion_tokens": len(ids)}
        return {"text": str(ids), "output_ids": ids, "meta_info": meta}

    assert is_right(judged("sglang", [output(ONE), output(OTHER)])) is True
    assert is_right(judged("sglang", [output(ONE), output(ONE)])) is False
    assert is_right(judged("sglang", output(ONE))) is False
