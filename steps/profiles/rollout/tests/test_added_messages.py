"""Messages that a server adds behind the results of tools, before the next generation."""

from typing import Any

import pytest

from rollout_conformance.steps.engine.findings import Finding
from rollout_conformance.steps.peers.script import Call, Reply, Script
from rollout_conformance.steps.profiles.rollout.invariants.tools import tools
from rollout_conformance.steps.tests.heavy.rollout import Played

CALLING = Reply(calls=(Call("add", {"a": 5, "b": 3}, id="call_1"),))
RESULT = {"role": "tool", "content": "8", "tool_call_id": "call_1"}
NOTICE = {"role": "assistant", "content": "I have the result."}
REMINDER = {"role": "user", "content": "Two steps are left."}


def found(*added: dict[str, Any], dialect: str = "callback") -> set[str]:
    one = Played(dialect, Script((CALLING, Reply(text="Done."))))
    one.ask()
    one.ask(*added)
    one.end()
    return {item.requirement for item in tools(one.view()) if isinstance(item, Finding)}


@pytest.mark.parametrize("dialect", ["sync", "callback", "routed", "leased"])
def test_a_turn_that_the_policy_did_not_sample_is_found(dialect: str) -> None:
    assert found(RESULT, NOTICE, dialect=dialect) == {"ROLLOUT-290"}
    assert found(RESULT, REMINDER, NOTICE, dialect=dialect) == {"ROLLOUT-290"}


def test_a_message_of_another_role_is_the_servers_to_add() -> None:
    assert found(RESULT) == found(RESULT, REMINDER) == set()
    assert found({**RESULT, "tool_call_id": "call_2"}, REMINDER) == {"ROLLOUT-094"}


def test_results_that_are_missing_or_too_many_are_found_beside_other_messages() -> None:
    assert found(REMINDER) == found(NOTICE, RESULT) == found(RESULT, REMINDER, RESULT) == {"ROLLOUT-093"}
