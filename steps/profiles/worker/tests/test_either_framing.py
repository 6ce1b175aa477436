"""A stream whose framing nobody declared: increments are read as such, and a mixture of both is a breach."""

from typing import Any

import pytest

from rollout_conformance.steps.profiles.worker.dialects import DIALECTS
from rollout_conformance.steps.profiles.worker.dialects.base import CUMULATIVE, DELTA, EITHER, Framing
from rollout_conformance.steps.profiles.worker.events import Transcript
from rollout_conformance.steps.profiles.worker.tests.streams import response, sent, sglang

SGLANG = DIALECTS["sglang"]
LENGTH = {"type": "length", "length": 4}


def event(text: str, ids: list[int], total: int, reason: Any = None, logprobs: int | None = None) -> dict[str, Any]:
    found = sglang(text, ids, reason)
    found["meta_info"]["completion_tokens"] = total
    if logprobs is not None:
        found["meta_info"]["output_token_logprobs"] = [[-1.0, None, None]] * logprobs
    return found


def read(framing: Framing, *events: Any) -> Transcript:
    return SGLANG.read(response("sglang", sent(*events)).chunks, framing)


INCREMENTS = (event("He", [1], 1), event("l", [2, 3], 3), event("lo", [4], 4, LENGTH), "[DONE]")
WHOLE = (event("He", [1], 1), event("Hel", [1, 2, 3], 3), event("Hello", [1, 2, 3, 4], 4, LENGTH), "[DONE]")


def test_increments_are_read_as_what_they_are() -> None:
    found = read(EITHER, *INCREMENTS)
    assert found == read(DELTA, *INCREMENTS)
    assert not found.breaches
    assert (found.text, found.ids) == ("Hello", (1, 2, 3, 4))


def test_one_increment_and_an_end_without_tokens_is_a_job_of_one_token() -> None:
    found = read(EITHER, event("He", [1], 1), event("", [], 1, LENGTH), "[DONE]")
    assert not found.breaches
    assert (found.text, found.ids, found.count) == ("He", (1,), 1)


def test_cumulative_events_are_read_as_what_they_are() -> None:
    assert read(EITHER, *WHOLE) == read(CUMULATIVE, *WHOLE)
    assert not read(EITHER, *WHOLE).breaches


def test_increments_are_a_breach_where_the_card_says_that_there_are_none() -> None:
    assert [one.requirement for one in read(CUMULATIVE, *INCREMENTS).breaches] == ["WORKER-104"]


@pytest.mark.parametrize(
    "events",
    [
        pytest.param(
            (event("He", [1], 1), event("Hel", [2], 2), event("Hello", [3], 3, LENGTH)), id="only ids are new"
        ),
        pytest.param(
            (event("He", [1], 1), event("l", [1, 2], 2), event("lo", [1, 2, 3], 3, LENGTH)), id="only the text is"
        ),
        pytest.param(
            (event("He", [1], 1, logprobs=1), event("l", [2], 2, logprobs=2), event("lo", [3], 3, LENGTH, logprobs=3)),
            id="log probabilities are repeated",
        ),
        pytest.param((event("He", [1], 1), event("l", [3], 3), event("lo", [4], 4, LENGTH)), id="a token is missing"),
    ],
)
def test_a_mixture_is_a_breach(events: tuple[Any, ...]) -> None:
    found = read(EITHER, *events)
    assert "WORKER-104" in [one.requirement for one in found.breaches]
