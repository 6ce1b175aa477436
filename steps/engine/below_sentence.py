"""What stands below a sentence of Gherkin, a text block or a table: an example of it, and a mistake in one row of it."""

import inspect
from collections.abc import Callable
from typing import TypeVar

F = TypeVar("F", bound=Callable[..., object])
_EXAMPLE = "__example_below__"


class RowError(ValueError):
    """What is wrong with one row of a table; `row` counts from 0."""

    def __init__(self, row: int, told: str) -> None:
        super().__init__(told)
        self.row = row


def below(example: str) -> Callable[[F], F]:
    """Give the function of a sentence an example of what stands below it: the lines of a text block, or the rows of a table."""

    def decorate(function: F) -> F:
        setattr(function, _EXAMPLE, inspect.cleandoc(example))
        return function

    return decorate


def example_below(function: object) -> str:
    """The example of a sentence; empty where nothing stands below it."""
    return str(getattr(function, _EXAMPLE, ""))


def written(example: str) -> list[str]:
    """The lines of an example as they stand below a sentence: a text block between its quotation marks, the rows of a table as they are."""
    lines = example.splitlines()
    return lines if not lines or lines[0].startswith("|") else ['"""', *lines, '"""']
