"""What log probabilities show: a token that sampling parameters exclude, alternatives of another distribution, scores of a prompt."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from rollout_conformance.steps.engine.findings import Finding
from rollout_conformance.steps.profiles.worker.expectations.endings import Ended
from rollout_conformance.steps.profiles.worker.expectations.sampling import Likeliest, ScoredAsPrompt, StoppedAtToken
from rollout_conformance.steps.profiles.worker.invariants.alternatives import alternatives
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
from rollout_conformance.steps.profiles.worker.view import JobResponse

LENGTH = {"type": "length", "length": 3}
IDS = [7, 8, 9]


def job(name: str, logprobs: list[float], ids: list[int] = IDS, **spec: Any) -> JobResponse:
    event = sglang("abc", ids, LENGTH)
    event["meta_info"]["output_token_logprobs"] = [[value, id, None] for value, id in zip(logprobs, ids, strict=True)]
    found = response("sglang", sent(event, "[DONE]"), **spec)
    object.__setattr__(found, "name", name)
    return found


def view(*jobs: JobResponse) -> Any:
    named = {one.name: one for one in jobs}
    return cast(
        Any,
        SimpleNamespace(
            worker=SimpleNamespace(tolerance=0.01),
            jobs=jobs,
            cancelled={},
            jobs_named=lambda *words: [named[one] for one in words],
        ),
    )


@pytest.mark.parametrize(
    ("ids", "logprobs", "expected"),
    [(IDS, [-0.5] * 3, True), ([7, 5, 9], [-0.5, -2.0, -0.5], False), ([7, 5, 9], [-0.5, -0.5, -0.5], None)],
    ids=["equal", "a token that is less likely", "a token that is as likely"],
)
def test_the_likeliest_tokens(ids: list[int], logprobs: list[float], expected: bool | None) -> None:
    greedy, narrow = job("greedy", [-0.5] * 3), job("narrow", logprobs, ids)
    found = Likeliest("greedy", of=("narrow",)).compare([narrow], view(greedy, narrow))
    assert (found.ok if found else None) is expected


@pytest.mark.parametrize(
    ("own", "top", "is_right"),
    [
        (-1.0, {5: -0.7}, True),
        (-1.0, {7: -1.0, 5: -0.9}, True),
        (-1.0, {7: -0.2}, False),
        (-0.1, {5: -0.1}, False),
        (-0.5, {5: -0.2, 6: -3.0}, False),
    ],
    ids=["another one", "among them", "two values", "more than 1", "none of them"],
)
def test_alternatives(own: float, top: dict[int, float], is_right: bool) -> None:
    entry = {
        "id": 7,
        "logprob": own,
        "top_logprobs": [{"id": id, "logprob": value} for id, value in top.items()],
    }
    events = llamacpp("a", [7], completion_probabilities=[entry]), llamacpp_end(1, "limit")
    one = response("llamacpp", sent(*events), max_tokens=1, temperature=1.0)
    assert [not isinstance(found, Finding) for found in alternatives(view(one))] == [is_right]


@pytest.mark.parametrize(
    ("scores", "expected"),
    [([-1.0, -2.0, -3.0], True), ([-1.2, -2.0, -3.0], True), ([-4.0, -1.0, -2.0], False), ([-1.0], False)],
    ids=["equal", "one of them nearly", "moved", "too few"],
)
def test_the_scores_of_a_prompt(scores: list[float], expected: bool) -> None:
    whole = job("whole", [-1.0, -2.0, -3.0], prompt_ids=(1, 2))
    scored = job("scored", [-0.1] * 3, prompt_ids=(1, 2, *IDS))
    rows = tuple({id: value} for id, value in zip(IDS, scores, strict=False))
    object.__setattr__(scored.transcript, "prompt_logprobs", (None, {2: -9.0}, *rows) if len(rows) == 3 else rows)
    found = ScoredAsPrompt("whole", of=("scored",)).compare([scored], view(whole, scored))
    assert found is not None
    assert found.ok is expected


@pytest.mark.parametrize(("ids", "expected"), [([7, 8], True), ([7], True), (IDS, False)])
def test_a_stop_token(ids: list[int], expected: bool) -> None:
    whole = job("whole", [-0.5] * 3)
    event = sglang("a", ids, {"type": "stop", "matched": 8})
    cut = response("sglang", sent(event, "[DONE]"), stop_ids=(8,))
    found = StoppedAtToken("whole", of=("job",)).compare([cut], view(whole, cut))
    assert found is not None
    assert found.ok is expected


@pytest.mark.parametrize(
    ("text", "count", "is_right"),
    [("a👋", 7, True), ("a👋", 8, False), ("ab", 5, False)],
    ids=["letter", "more", "ascii"],
)
def test_a_limit_within_a_character(text: str, count: int, is_right: bool) -> None:
    """llama.cpp completes the last character of an output: up to three tokens more than the limit."""
    one = response("llamacpp", sent(llamacpp(text, [*range(count)]), llamacpp_end(count, "limit")), max_tokens=4)
    assert all(not isinstance(found, Finding) for found in counters(view(one))) is is_right
    found = Ended(("length",), tokens=4).check(one, view(one))
    assert found is not None
    assert found.ok is is_right


@pytest.mark.parametrize(("prompt", "is_right"), [((1, 2, 3), True), ((1, 2), False)])
def test_the_counter_of_a_prompt(prompt: tuple[int, ...], is_right: bool) -> None:
    events = vllm([7, 8, 9, 5]), vllm([], "length"), vllm_usage(4), "[DONE]"
    one = response("vllm-generate", sent(*events), prompt_ids=prompt)
    assert all(not isinstance(found, Finding) for found in counters(view(one))) is is_right


@pytest.mark.parametrize(("ignores", "expected"), [(False, None), (True, False)])
def test_an_end_of_text_that_was_to_be_ignored(ignores: bool, expected: bool | None) -> None:
    one = response("llamacpp", sent(llamacpp("a", [7]), llamacpp_end(1, "eos")), ignores_eos=ignores)
    found = Ended(("length",), tokens=4).check(one, view(one))
    assert (found.ok if found else None) is expected
