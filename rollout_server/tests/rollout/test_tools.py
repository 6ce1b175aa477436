"""Tool calls, valid and invalid, and the content of their results."""

import asyncio
from typing import Any

import pytest

from rollout_conformance.rollout_server.rollout import tools
from rollout_conformance.rollout_server.rollout.tools import Tool, Toolbox, calculator, wait
from rollout_conformance.rollout_server.tests.rollout.support import call

BIG = "1" + "0" * 400
GIVES: list[tuple[str, Any, str]] = [
    ("add", '{"a": 5, "b": 3}', "8"),
    ("add", {"a": 5, "b": 3}, "8"),
    ("add", '{"a": 5.0, "b": 3}', "8"),
    ("add", '{"a": 0.1, "b": 0.2}', "0.30000000000000004"),
    ("add", '{"a": 1e2, "b": -100}', "0"),
    ("subtract", '{"a": 5, "b": 8}', "-3"),
    ("multiply", '{"a": 12345678901234567890, "b": 10}', "123456789012345678900"),
    ("divide", '{"a": 6, "b": 3}', "2"),
    ("divide", '{"a": 7, "b": 2}', "3.5"),
    ("divide", '{"a": 10000000000000000000001, "b": 1}', "10000000000000000000001"),
]
COMPLAINS: list[tuple[str, Any, str]] = [
    ("divide", '{"a": 1, "b": 0}', "Error: Division by zero"),
    ("divide", '{"a": 1.5, "b": 0.0}', "Error: Division by zero"),
    ("power", '{"a": 1, "b": 2}', "Error: Unknown function 'power'. Available: add, subtract, multiply, divide"),
    ("add", '{"a": 5, "b": 3', "Error: Invalid JSON arguments"),
    ("add", "", "Error: Invalid JSON arguments"),
    ("add", '{"a": NaN, "b": 1}', "Error: Invalid JSON arguments"),
    ("add", "[" * 5000, "Error: Invalid JSON arguments"),
    ("add", "null", "Error: Invalid arguments for add: a JSON object is required"),
    ("add", "[5, 3]", "Error: Invalid arguments for add: a JSON object is required"),
    ("add", '"5"', "Error: Invalid arguments for add: a JSON object is required"),
    ("add", '{"a": 5}', "Error: Invalid arguments for add: 'b' is missing"),
    ("add", '{"a": 5, "b": 3, "c": 1}', "Error: Invalid arguments for add: 'c' is not an argument"),
    ("add", '{"a": "5", "b": 3}', "Error: Invalid arguments for add: 'a' must be of type number"),
    ("multiply", '{"a": "ab", "b": 3}', "Error: Invalid arguments for multiply: 'a' must be of type number"),
    ("add", '{"a": true, "b": 1}', "Error: Invalid arguments for add: 'a' must be of type number"),
    ("add", '{"a": null, "b": 1}', "Error: Invalid arguments for add: 'a' must be of type number"),
    ("add", '{"a": 1e999, "b": 1}', "Error: Invalid arguments for add: 'a' must be of type number"),
    ("multiply", '{"a": 1e308, "b": 10}', "Error: The result is too large"),
    ("add", f'{{"a": {BIG}, "b": 0.5}}', "Error: The result is too large"),
    ("divide", f'{{"a": {BIG}, "b": 3}}', "Error: The result is too large"),
    ("multiply", f'{{"a": {"9" * 4000}, "b": {"9" * 4000}}}', "Error: The result is too large"),
]


def content(name: str, arguments: Any, *more: Tool, timeout_s: float = 5) -> str:
    box = Toolbox((*calculator.TOOLS, *more), timeout_s)
    return asyncio.run(tools.run_call(box, call(name, arguments)["function"]))


@pytest.mark.parametrize(("name", "arguments", "expected"), GIVES + COMPLAINS)
def test_call(name: str, arguments: Any, expected: str) -> None:
    assert content(name, arguments) == expected


def crash() -> None:
    raise KeyError("secret")


RESULTS = [
    ("text", "text"),
    (True, "true"),
    (None, "null"),
    ([1, "x"], '[1,"x"]'),
    ({"a": 1.5}, '{"a":1.5}'),
    (2.0**60, "1.152921504606847e+18"),
    (float("nan"), "Error: The result is too large"),
    (object(), "Error: The result cannot be written as JSON"),
]


@pytest.mark.parametrize(("value", "expected"), RESULTS)
def test_result(value: Any, expected: str) -> None:
    assert content("give", "{}", Tool("give", "", {}, lambda: value)) == expected


def test_a_crashing_tool_exposes_no_internals() -> None:
    assert content("crash", "{}", Tool("crash", "", {}, crash)) == "Error: Tool execution failed"


def test_a_tool_that_hangs_is_given_up() -> None:
    assert content("wait", '{"seconds": 3600}', *wait.TOOLS, timeout_s=0.01) == "Error: wait took longer than 0.01 s"


def test_wait_waits() -> None:
    assert content("wait", '{"seconds": 0}', *wait.TOOLS) == "waited 0 s"
    assert content("wait", '{"seconds": -1}', *wait.TOOLS) == "Error: The number of seconds must not be negative"


def test_calls_of_one_turn_run_at_the_same_time_and_keep_their_order() -> None:
    async def scenario() -> list[str]:
        second = asyncio.Event()
        box = Toolbox((Tool("first", "", {}, second.wait), Tool("second", "", {}, second.set)), timeout_s=5)
        results = await tools.run_calls(box, [call("first", "{}", "1"), call("second", "{}", "2")])
        return [result["tool_call_id"] for result in results]

    assert asyncio.run(scenario()) == ["1", "2"]


def test_two_tools_cannot_share_a_name() -> None:
    with pytest.raises(ValueError, match="same name"):
        Toolbox((*calculator.TOOLS, *calculator.TOOLS), 1)


def test_every_call_is_counted_under_a_known_name() -> None:
    seen: list[tuple[str, str]] = []
    box = Toolbox(calculator.TOOLS, 1, lambda name, outcome: seen.append((name, outcome)))
    asyncio.run(tools.run_calls(box, [call(), call("nope"), call("add", "{}")]))
    assert sorted(seen) == [("add", "error"), ("add", "ok"), ("unknown", "error")]


def test_schemas_are_closed_objects() -> None:
    for tool in Toolbox(calculator.TOOLS, 1).describe():
        parameters = tool["function"]["parameters"]
        assert parameters["type"] == "object"
        assert parameters["required"] == list(parameters["properties"]) == ["a", "b"]
