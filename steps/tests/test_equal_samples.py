"""Equal samples are a finding only where the model was unlikely to give them."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from rollout_conformance.steps.profiles.chat.expectations.sampling import SamplesDiffer
from rollout_conformance.steps.profiles.chat.responses import ChatResponse

SAMPLES = 8
RARE, LIKELY = -2.0, -0.1  # of the whole text: 8 times by chance in 1 of 9 million, and in 1 of 2


def response(text: str, logprob: float | None) -> ChatResponse:
    entries = None if logprob is None else {"content": [{"token": text, "logprob": logprob}]}
    choice = {"index": 0, "message": {"content": text}, "finish_reason": "stop", "logprobs": entries}
    return ChatResponse("it", 1, {}, 200, {"choices": [choice]})


def judged(texts: list[str], logprob: float | None, greedy: str) -> bool | None:
    view = cast(Any, SimpleNamespace(named=lambda *_: [response(greedy, logprob)]))
    found = SamplesDiffer(greedy="greedy").compare([response(text, logprob) for text in texts], view)
    return None if found is None else found.ok


@pytest.mark.parametrize(
    ("logprob", "greedy", "expected"),
    [(RARE, "fog", False), (LIKELY, "fog", None), (RARE, "sea", None), (None, "fog", False)],
    ids=["unlikely", "likely by their logprobs", "the greedy text", "without logprobs"],
)
def test_eight_equal_samples(logprob: float | None, greedy: str, expected: bool | None) -> None:
    assert judged(["sea"] * SAMPLES, logprob, greedy) is expected


def test_samples_that_differ_are_right() -> None:
    assert judged(["sea", "fog"], LIKELY, "sea") is True
