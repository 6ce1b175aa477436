"""The generation requests that a trainer gets: the model that the card names, and what marks a retry."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from rollout_conformance.steps.engine.outcome import Outcome
from rollout_conformance.steps.engine.trace import Request
from rollout_conformance.steps.tests.trainer_runs import card, played

RETRY = "x-stainless-retry-count"


def generations(outcome: Outcome) -> Iterator[Request]:
    assert outcome.trace is not None
    for exchange in outcome.trace.exchanges:
        if exchange.request.path.endswith("/chat/completions"):
            yield exchange.request


def marks(name: str) -> list[str | None]:
    """Which generation requests of a case are marked as retries."""
    (outcome,) = played(card(), lambda case: case.name == name)
    return [request.header(RETRY) for request in generations(outcome)]


def test_a_repeated_request_is_marked_as_sdks_mark_it_and_a_first_one_is_not() -> None:
    assert marks("a repeated generation request returns the same generation") == [None, "1", "1", None]


def test_of_equal_requests_at_once_all_but_one_are_marked() -> None:
    seen = marks("three equal generation requests at once are one turn")
    assert sorted(str(mark) for mark in seen) == ["1", "1", "None", "None"]


@pytest.mark.parametrize("after_s", ["0.03", "0.3"])
def test_a_request_that_follows_one_whose_response_was_not_awaited_is_marked(after_s: str) -> None:
    name = f"a generation request whose connection was closed is sent again[{after_s}]"
    (outcome,) = played(card(), lambda case: case.name == name)
    assert [request.header(RETRY) for request in generations(outcome)] == [None, "1", None]


@pytest.mark.parametrize(("members", "model"), [({}, "default"), ({"model": "policy-7b"}, "policy-7b")])
def test_the_model_on_the_card_is_that_of_every_generation_request(members: dict[str, Any], model: str) -> None:
    (outcome,) = played(card(**members), lambda case: case.name == "generations with tool calls and tool results")
    requests = list(generations(outcome))
    assert len(requests) == 2
    assert {json.loads(request.body)["model"] for request in requests} == {model}
