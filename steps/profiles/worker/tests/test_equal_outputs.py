"""Equal outputs are a finding only where the log probabilities of the worker do not explain them."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from rollout_conformance.steps.profiles.worker.expectations.outputs import DifferentOutputs
from rollout_conformance.steps.profiles.worker.tests.streams import response, sent, sglang
from rollout_conformance.steps.profiles.worker.view import JobResponse

TOKENS = 10
VIEW = cast(Any, SimpleNamespace(worker=SimpleNamespace(tolerance=0.01)))
STOP = {"type": "length", "length": TOKENS}


def job(logprob: float | None, prompt: str = "", text: str = "a" * TOKENS) -> JobResponse:
    """A job of ten tokens, each with this log probability."""
    ids = list(range(1, TOKENS + 1))
    event = sglang(text, ids, STOP)
    event["meta_info"]["output_token_logprobs"] = [[logprob, one, None] for one in ids]
    if logprob is None:
        del event["meta_info"]["output_token_logprobs"]
    spec: dict[str, Any] = {"prompt": prompt, "prompt_ids": tuple(prompt.encode())} if prompt else {}
    return response("sglang", sent(event, "[DONE]"), max_tokens=TOKENS, **spec)


def judged(*jobs: JobResponse) -> bool | None:
    found = DifferentOutputs(of=("all",)).compare(list(jobs), VIEW)
    return None if found is None else found.ok


@pytest.mark.parametrize(
    ("logprob", "expected"),
    [(-0.7, False), (-0.05, None), (None, False)],  # 1 in 1,000 samples, 6 in 10, not shown
    ids=["unlikely", "likely by their log probabilities", "without log probabilities"],
)
def test_three_equal_samples(logprob: float | None, expected: bool | None) -> None:
    assert judged(*(job(logprob) for _ in range(3))) is expected


@pytest.mark.parametrize(
    ("logprobs", "expected"),
    [
        ((-0.7, -0.7), False),
        ((-0.7, -0.9), None),
        ((-0.7, -0.702), None),
        ((-0.7, -0.70001), False),
        ((-0.001, -0.001), None),
        ((None, None), False),
    ],
    ids=[
        "equal log probabilities",
        "others",
        "others within the tolerance",
        "noise",
        "tokens without an alternative",
        "none",
    ],
)
def test_equal_outputs_of_two_prompts(logprobs: tuple[float | None, ...], expected: bool | None) -> None:
    jobs = [job(value, prompt) for value, prompt in zip(logprobs, ("cat", "whale"), strict=True)]
    assert judged(*jobs) is expected


@pytest.mark.parametrize(("logprob", "expected"), [(None, None), (-0.7, False)], ids=["not shown", "as in one prompt"])
def test_an_output_that_goes_on_with_a_sentence_of_each_prompt(logprob: float | None, expected: bool | None) -> None:
    """A model that read it a hundred times need not mention what else it read."""
    sentence = "On and on. "
    jobs = [job(logprob, begins + sentence * 9, text=sentence * 2) for begins in ("A cat. ", "A whale. ")]
    assert judged(*jobs) is expected
    assert judged(*(job(None, begins + sentence, text=sentence * 2) for begins in ("A cat. ", "A whale. "))) is False


def test_outputs_that_differ_are_right() -> None:
    assert judged(job(-0.001), job(-0.001, text="b" * TOKENS)) is True
