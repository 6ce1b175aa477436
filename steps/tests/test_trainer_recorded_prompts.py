"""The prompts in the record of a trainer of the dialect `callback` (TRAINER-183)."""

from dataclasses import replace
from typing import Any

import pytest

from rollout_conformance.steps.engine.findings import Evidence
from rollout_conformance.steps.peers.calculator import tools
from rollout_conformance.steps.profiles.trainer.invariants.recorded_prompts import recorded_prompts
from rollout_conformance.steps.tests.test_trainer_profile import QUESTION, TOKENS, reply, view

RIGHT = TOKENS.prompt_ids(QUESTION, tools())
OTHER = TOKENS.prompt_ids([{"role": "user", "content": "Another question."}], tools())
WITHOUT_TOOLS = TOKENS.prompt_ids(QUESTION, ())
SAMPLED = reply()["token_ids"]


def turn(prompt: Any) -> dict[str, Any]:
    return {"prompt_token_ids": prompt, "token_ids": SAMPLED, "logprobs": [-0.5] * len(SAMPLED)}


def judged(*turns: dict[str, Any], **members: Any) -> list[Evidence]:
    """One generation request, and a record with these turns."""
    one = view(reply(), record={"turns": list(turns)})
    return list(recorded_prompts(replace(one, **{"dialect": "callback", **members})))


def names(evidence: list[Evidence]) -> list[tuple[str, str]]:
    return [(type(one).__name__, one.requirement) for one in evidence]


def test_the_prompt_of_a_turn_is_that_of_its_request() -> None:
    assert names(judged(turn(RIGHT))) == [("Satisfied", "TRAINER-183")]
    assert names(judged(turn(OTHER))) == [("Finding", "TRAINER-183")]


@pytest.mark.parametrize("prompt", [None, [], "none", [1, None], WITHOUT_TOOLS])
def test_what_is_no_prompt_or_has_no_tools_is_left_to_others(prompt: Any) -> None:
    assert judged(turn(prompt)) == []


def test_a_record_of_another_number_of_turns_shows_no_prompt_of_a_request() -> None:
    assert judged() == judged(turn(OTHER), turn(OTHER)) == []


def test_the_dialect_sync_and_branches_are_judged_elsewhere() -> None:
    assert judged(turn(OTHER), dialect="sync") == judged(turn(OTHER), branched=True) == []
