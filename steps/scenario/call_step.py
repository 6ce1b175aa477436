"""A sentence in Python that does what it says itself, where others give an action."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class CallStep:
    """A phrase of Python that wants the session: called, and awaited if need be, inside the case's own task."""

    function: Callable[..., object]
    arguments: tuple[tuple[str, object], ...]

    async def perform(self, session: Any) -> None:
        result = self.function(session=session, **dict(self.arguments))
        if inspect.isawaitable(result):
            await result
