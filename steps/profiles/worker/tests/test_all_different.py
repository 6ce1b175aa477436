"""Outputs of a worker that shows no log probabilities: what narrow sampling parameters leave, and what two equally likely tokens do."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from rollout_conformance.steps.profiles.worker.expectations.sampling import SEVERAL, Likeliest

GREEDY = "a town by the sea"


def verdict(texts: list[str]) -> bool | None:
    control, *jobs = (
        SimpleNamespace(ran_out=True, transcript=SimpleNamespace(text=text, ids=(1, 2), logprobs=None))
        for text in [GREEDY, *texts]
    )
    view = SimpleNamespace(jobs_named=lambda *names: [control])
    found = Likeliest("greedy", of=("narrow",)).compare(cast(Any, jobs), cast(Any, view))
    return None if found is None else found.ok


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        ([GREEDY] * SEVERAL, True),
        ([GREEDY] + [f"text {n}" for n in range(SEVERAL - 1)], True),
        (["a town by the lake"] * SEVERAL, None),  # two tokens that are equally likely
        ([f"text {n}" for n in range(SEVERAL - 1)], None),
        ([f"text {n}" for n in range(SEVERAL)], False),
    ],
)
def test_only_outputs_that_all_differ_have_more_than_the_likeliest_tokens(
    texts: list[str], expected: bool | None
) -> None:
    assert verdict(texts) is expected
