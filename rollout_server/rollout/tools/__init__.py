"""The tools of the agent: their names, their parameters, and how a call is executed.

A tool is a function with a JSON schema. To add one, write a module with a tuple named TOOLS and name it in
ROLLOUT_TOOLS. An error of a call becomes the content of its result ("Error: ..."), and the rollout continues.
"""

import asyncio
import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rollout_conformance.rollout_server.common import json_text


@dataclass(frozen=True, slots=True)
class Tool:
    """`properties` maps each argument to its JSON schema; all of them are required. `run` may be async."""

    name: str
    description: str
    properties: Mapping[str, Mapping[str, Any]]
    run: Callable[..., Any]

    def describe(self) -> dict[str, Any]:
        parameters = {
            "type": "object",
            "properties": {name: dict(schema) for name, schema in self.properties.items()},
            "required": list(self.properties),
            "additionalProperties": False,
        }
        function = {"name": self.name, "description": self.description, "parameters": parameters}
        return {"type": "function", "function": function}


class ToolError(Exception):
    """A call that cannot be executed; the message is for the policy."""


class Toolbox:
    """The tools of one server. `count` is called with the name and the outcome of every call."""

    def __init__(
        self, tools: Sequence[Tool], timeout_s: float, count: Callable[[str, str], None] = lambda name, outcome: None
    ) -> None:
        self.tools = {tool.name: tool for tool in tools}
        self.timeout_s = timeout_s
        self.count = count
        if len(self.tools) != len(tools):
            raise ValueError("two tools have the same name")
        self._described = [tool.describe() for tool in tools]

    def describe(self) -> list[dict[str, Any]]:
        """Always the same list: every remembered rollout refers to it."""
        return self._described


async def run_calls(box: Toolbox, calls: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """One result message for each call, in the order of the calls; the calls run concurrently."""
    contents = await asyncio.gather(*(run_call(box, call["function"]) for call in calls))
    return [result_message(call, content) for call, content in zip(calls, contents, strict=True)]


def result_message(call: Mapping[str, Any], content: str) -> dict[str, Any]:
    return {"role": "tool", "content": content, "tool_call_id": call["id"]}


async def run_call(box: Toolbox, function: Mapping[str, Any]) -> str:
    """The content of one result; never raises for an error of the policy or of the tool."""
    name = function["name"]
    try:
        content = render(await execute(box, name, read_arguments(function["arguments"])))
    except ToolError as error:
        box.count(name if name in box.tools else "unknown", "error")
        return error_content(str(error))
    box.count(name, "ok")
    return content


def error_content(message: str) -> str:
    return f"Error: {message}"


def read_arguments(arguments: Any) -> Any:
    """Arguments are JSON text (OpenAI), or from some trainers the object itself."""
    if not isinstance(arguments, str):
        return arguments
    try:
        return json_text.loads(arguments)
    except json_text.NotJsonError as error:
        raise ToolError("Invalid JSON arguments") from error


async def execute(box: Toolbox, name: str, arguments: Any) -> Any:
    tool = find(box, name)
    problem = check_arguments(tool, arguments)
    if problem:
        raise ToolError(f"Invalid arguments for {name}: {problem}")
    try:
        async with asyncio.timeout(box.timeout_s):
            result = tool.run(**arguments)
            return await result if inspect.isawaitable(result) else result
    except ToolError:
        raise
    except TimeoutError as error:
        raise ToolError(f"{name} took longer than {box.timeout_s:g} s") from error
    except OverflowError as error:
        raise ToolError("The result is too large") from error
    except Exception as error:
        raise ToolError("Tool execution failed") from error


def find(box: Toolbox, name: str) -> Tool:
    if name not in box.tools:
        raise ToolError(f"Unknown function '{name}'. Available: {', '.join(box.tools)}")
    return box.tools[name]


def check_arguments(tool: Tool, arguments: Any) -> str | None:
    """What is wrong with the arguments, or None."""
    if not isinstance(arguments, dict):
        return "a JSON object is required"
    missing = [f"'{name}' is missing" for name in tool.properties if name not in arguments]
    extra = [f"'{name}' is not an argument" for name in arguments if name not in tool.properties]
    wrong = [
        f"'{name}' must be of type {schema['type']}"
        for name, schema in tool.properties.items()
        if name in arguments and not is_type(arguments[name], schema["type"])
    ]
    return "; ".join(missing + extra + wrong) or None


def is_type(value: Any, name: str) -> bool:
    """The types of JSON Schema (2020-12, 4.2): true is not a number, and 3.0 is an integer."""
    if isinstance(value, bool):
        return name == "boolean"
    if isinstance(value, float):
        return math.isfinite(value) and (name == "number" or (name == "integer" and value.is_integer()))
    return isinstance(value, _TYPES[name])


_TYPES: dict[str, type | tuple[type, ...]] = {
    "number": (int, float),
    "integer": int,
    "string": str,
    "boolean": bool,
    "array": list,
    "object": dict,
    "null": type(None),
}


def render(value: Any) -> str:
    """The text of a result: strings as they are, numbers in one canonical form, the rest as JSON."""
    if isinstance(value, str):
        return value
    if isinstance(value, int | float) and not isinstance(value, bool):
        return render_number(value)
    try:
        return json_text.dumps(value).decode()
    except (TypeError, ValueError) as error:
        raise ToolError("The result cannot be written as JSON") from error


EXACT = 2**53  # beyond it neighbouring integers have the same float


def render_number(value: int | float) -> str:
    try:
        if isinstance(value, float):
            if not math.isfinite(value):
                raise ToolError("The result is too large")
            return str(int(value)) if value.is_integer() and abs(value) < EXACT else repr(value)
        return str(value)
    except ValueError as error:  # an integer of thousands of digits
        raise ToolError("The result is too large") from error
