"""What a job requests beside its prompt: alternatives, an output that the end of the text does not end, and counters that agree."""

from typing import Any

import pytest

from rollout_conformance.steps.engine.findings import Finding
from rollout_conformance.steps.engine.target_card import Card
from rollout_conformance.steps.engine.trace import Trace
from rollout_conformance.steps.http.responses import Responses
from rollout_conformance.steps.profiles.worker.context import WorkerContext
from rollout_conformance.steps.profiles.worker.dialects import DIALECTS
from rollout_conformance.steps.profiles.worker.invariants.alternatives import alternatives, requested_alternatives
from rollout_conformance.steps.profiles.worker.invariants.counts import counters
from rollout_conformance.steps.profiles.worker.tests.streams import (
    llamacpp,
    llamacpp_end,
    response,
    sent,
    sglang,
    vllm,
    vllm_usage,
)
from rollout_conformance.steps.profiles.worker.view import JobResponse, WorkerView

LENGTH = {"type": "length", "length": 2}


def broken(job: JobResponse, *more: Any) -> list[str]:
    context = WorkerContext(Card(), None, DIALECTS[job.dialect.name])
    view = WorkerView(Trace(), Responses.of([job]), context, worker=context)
    invariants = (counters, requested_alternatives, *more)
    evidence = [one for invariant in invariants for one in invariant(view)]
    return sorted({one.requirement for one in evidence if isinstance(one, Finding)})


def llama_job(tops: int | None, *, kind: str = "limit", **spec: Any) -> JobResponse:
    """Two tokens, each with so many alternatives."""
    events = [llamacpp("a", [1]), llamacpp("b", [2])]
    for n, one in enumerate(events):
        top = [{"id": 10 + k, "logprob": -1.0 - k} for k in range(tops or 0)]
        shown = {"id": n + 1, "logprob": -0.5, **({} if tops is None else {"top_logprobs": top})}
        one["completion_probabilities"] = [shown]
    return response("llamacpp", sent(*events, llamacpp_end(2, kind)), **{"max_tokens": 2, **spec})


@pytest.mark.parametrize(("tops", "is_right"), [(3, True), (2, False), (4, False), (0, False), (None, False)])
def test_a_token_has_as_many_alternatives_as_requested(tops: int | None, is_right: bool) -> None:
    assert broken(llama_job(tops, alternatives=3)) == ([] if is_right else ["WORKER-128"])


def test_alternatives_that_nobody_requested_decide_nothing() -> None:
    assert broken(llama_job(None)) == []


def test_the_end_of_a_text_that_the_request_ignores_ends_no_job() -> None:
    assert broken(llama_job(None, kind="eos", ignores_eos=True)) == ["WORKER-012"]
    assert broken(llama_job(None, kind="eos")) == []


def test_a_request_that_leaves_it_out_ignores_nothing() -> None:
    job = llama_job(None, kind="eos", ignores_eos=True, without=("ignore_eos",))
    assert broken(job) == []


def test_an_end_without_a_counter_is_reported() -> None:
    end = llamacpp_end(2, "limit")
    del end["tokens_predicted"]
    job = response("llamacpp", sent(llamacpp("a", [1]), llamacpp("b", [2]), end), max_tokens=2)
    assert broken(job) == ["WORKER-131"]


@pytest.mark.parametrize(("cached", "is_right"), [(0, True), (3, True), (4, False)])
def test_no_more_of_a_prompt_is_cached_than_it_has(cached: int, is_right: bool) -> None:
    event = sglang("ab", [1, 2], LENGTH)
    event["meta_info"]["cached_tokens"] = cached
    assert broken(response("sglang", sent(event, "[DONE]"), max_tokens=2)) == ([] if is_right else ["WORKER-127"])


def text_job(*tops: tuple[str, float], own: float = -0.5) -> JobResponse:
    """A job of vLLM whose output is text: it names tokens by their texts alone."""
    event = vllm([7], "length", text="a")
    top = [{"token": text, "logprob": value, "bytes": [*text.encode()]} for text, value in tops]
    event["choices"][0]["logprobs"] = {"content": [{"token": "a", "logprob": own, "bytes": [97], "top_logprobs": top}]}
    stream = sent(event, vllm_usage(1), "[DONE]")
    return response("vllm-generate", stream, max_tokens=1, alternatives=2, temperature=0.0)


def test_alternatives_may_be_named_by_their_texts() -> None:
    assert broken(text_job(("a", -0.5), ("b", -1.5)), alternatives) == []
    assert broken(text_job(("a", -0.5), ("\ufffd", -1.5), ("\ufffd", -2.5)), alternatives) == []
    assert broken(text_job(("a", -0.5)), alternatives) == ["WORKER-128"]


def test_alternatives_that_are_named_by_their_texts_are_of_one_distribution() -> None:
    assert broken(text_job(("b", -0.1), ("c", -1.0)), alternatives) == ["WORKER-124"]
    assert broken(text_job(("a", -1.5), ("b", -2.5)), alternatives) == ["WORKER-124"]


@pytest.mark.parametrize("sampling", [{"top_p": 0.5}, {"grammar": "yes"}, {"repeat_penalty": 2.0}, {}])
def test_a_token_may_have_the_probability_after_what_changes_it(sampling: dict[str, Any]) -> None:
    events = [llamacpp("a", [1]), llamacpp_end(1, "limit")]
    events[0]["completion_probabilities"] = [{"id": 1, "logprob": 0.0, "top_logprobs": [{"id": 1, "logprob": -4.7}]}]
    job = response("llamacpp", sent(*events), max_tokens=1, alternatives=1, temperature=0.0, sampling=sampling)
    assert broken(job, alternatives) == ([] if sampling else ["WORKER-124"])
