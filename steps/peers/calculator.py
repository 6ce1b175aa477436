"""The calculator of the suite, where it is the one who runs tools: as a chat request declares it, and what its calls give."""

import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from rollout_conformance.steps.engine.lenient_json import mapping
from rollout_conformance.steps.engine.trace import parse

OPERATIONS: Mapping[str, Callable[[Any, Any], Any]] = {
    "add": operator.add,
    "subtract": operator.sub,
    "multiply": operator.mul,
}
NUMBERS = {"a": {"type": "number"}, "b": {"type": "number"}}


def tool(name: str) -> dict[str, Any]:
    """One operation as `tools` of a chat request has it."""
    parameters = {"type": "object", "properties": NUMBERS, "required": ["a", "b"]}
    return {
        "type": "function",
        "function": {"name": name, "description": f"{name} two numbers", "parameters": parameters},
    }


def tools() -> list[dict[str, Any]]:
    """All of it."""
    return [tool(name) for name in OPERATIONS]


def named(names: Sequence[str]) -> list[dict[str, Any]]:
    """Those of its tools that have these names, and tools with the other names that no policy is asked to call."""
    more = [name for name in names if name not in OPERATIONS]
    return [tool(name) for name in (*(name for name in OPERATIONS if name in names), *more)]


def result_messages(calls: Iterable[Mapping[str, object]]) -> list[dict[str, object]]:
    """The tool messages that follow a message with these calls."""
    return [{"role": "tool", "content": result(call), "tool_call_id": call.get("id")} for call in calls]


def result(call: Mapping[str, object]) -> str:
    """What one call gives. A call that makes no sense gives a text that says so."""
    function = mapping(call.get("function"))
    operation = OPERATIONS.get(str(function.get("name")))
    arguments = mapping(parse(str(function.get("arguments", "")).encode("utf-8", "replace")))
    numbers = [arguments.get(name) for name in ("a", "b")]
    if operation is None or not all(type(number) in (int, float) for number in numbers):
        return "Error: no such tool, or not its arguments"
    return str(operation(*numbers))
