"""The four operations of arithmetic. Integers stay exact."""

from rollout_conformance.rollout_server.rollout.tools import Tool, ToolError

Number = int | float


def add(a: Number, b: Number) -> Number:
    return a + b


def subtract(a: Number, b: Number) -> Number:
    return a - b


def multiply(a: Number, b: Number) -> Number:
    return a * b


def divide(a: Number, b: Number) -> Number:
    if b == 0:
        raise ToolError("Division by zero")
    if isinstance(a, int) and isinstance(b, int) and a % b == 0:
        return a // b
    return a / b


_NUMBERS = {
    "a": {"type": "number", "description": "The first number"},
    "b": {"type": "number", "description": "The second number"},
}

TOOLS = (
    Tool("add", "Add two numbers", _NUMBERS, add),
    Tool("subtract", "Subtract the second number from the first", _NUMBERS, subtract),
    Tool("multiply", "Multiply two numbers", _NUMBERS, multiply),
    Tool("divide", "Divide the first number by the second", _NUMBERS, divide),
)
