"""What a finding about a tool result shows: the exchanges with the call and with its result, and where the expected value is from."""

from types import SimpleNamespace
from typing import Any

import pytest

from rollout_conformance.steps.engine.findings import Finding
from rollout_conformance.steps.profiles.rollout.card import Tool
from rollout_conformance.steps.profiles.rollout.expectations.tool_results import ToolResults
from rollout_conformance.steps.profiles.rollout.invariants import tools

CALL: Any = {"id": "c0", "type": "function", "function": {"name": "get_weather", "arguments": '{"city": "Oslo"}'}}
SNOW = Tool(name="get_weather", arguments={"city": "Oslo"}, result="snow")


def rollout(content: str) -> Any:
    """One call in exchange 1, and its result in exchange 2."""
    turn = SimpleNamespace(n=1, messages=[{}], issued=SimpleNamespace(calls=[CALL]))
    answered = {"role": "tool", "content": content, "tool_call_id": "c0"}
    after = SimpleNamespace(n=2, messages=[{}, {"role": "assistant", "tool_calls": [CALL]}, answered])
    after_of = {1: after}
    return SimpleNamespace(
        generated=(turn,), after=lambda one: after_of.get(one.n), result=None, is_error=lambda: False, starts=()
    )


@pytest.mark.parametrize("with_card", [True, False])
def test_a_value_of_the_card_is_called_so(with_card: bool) -> None:
    call = CALL if with_card else {**CALL, "function": {"name": "add", "arguments": '{"a": 5, "b": 3}'}}
    view: Any = SimpleNamespace(card=SimpleNamespace(tools=[SNOW] if with_card else None), tools=["add"])
    message: Any = {"role": "tool", "content": "rain", "tool_call_id": "c0"}
    found = [one for one in tools._contents(view, [call], [message], (1, 2), False) if isinstance(one, Finding)]
    (finding,) = found
    assert (finding.exchanges, finding.shown_in) == ((1,), (1, 2))
    assert ("(the `result` of this call under `tools` on the card)" in finding.expected) is with_card


def test_the_results_of_a_case_name_the_call_and_both_exchanges() -> None:
    ((check),) = ToolResults(("snow",)).check(rollout("rain"), SimpleNamespace())  # type: ignore[arg-type]
    assert not check.ok
    assert (check.exchanges, check.proof) == ((), (1, 2))
    assert check.expected == (
        r'{"name":"get_weather","arguments":"{\"city\": \"Oslo\"}"} gives "snow" (as the case demands)'
    )
