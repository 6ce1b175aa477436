"""A server may make up an id for a call that has none, and change nothing else."""

import pytest

from rollout_conformance.steps.profiles.rollout.invariants.common import as_issued

CALL = {"type": "function", "function": {"name": "add", "arguments": "{}"}}


@pytest.mark.parametrize("given", [CALL, {"id": None, **CALL}, {"id": "", **CALL}], ids=["absent", "null", "empty"])
def test_an_id_that_was_made_up_is_no_change(given: dict[str, object]) -> None:
    issued = {"role": "assistant", "tool_calls": [given]}
    assert as_issued(issued, {"role": "assistant", "tool_calls": [{**CALL, "id": "call_1"}]}) == issued


def test_a_changed_id_stays_a_change() -> None:
    issued = {"role": "assistant", "tool_calls": [{"id": "call_1", **CALL}]}
    seen = {"role": "assistant", "tool_calls": [{"id": "call_2", **CALL}]}
    assert as_issued(issued, seen) == seen


def test_another_change_of_a_call_without_id_stays_a_change() -> None:
    issued = {"role": "assistant", "tool_calls": [CALL]}
    other = {**CALL, "function": {"name": "subtract", "arguments": "{}"}}
    assert as_issued(issued, {"role": "assistant", "tool_calls": [{**other, "id": "call_1"}]}) != issued
