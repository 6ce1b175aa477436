"""All mistakes of a file at once: each part of it is tried, and what is wrong is listed at the end."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from rollout_conformance.steps.engine.findings import SuiteError

T = TypeVar("T")


@dataclass(slots=True)
class ErrorCollector:
    """The messages so far, in the order in which they were found."""

    messages: list[str] = field(default_factory=list)

    def attempt(self, make: Callable[[], T]) -> T | None:
        """What `make` gives, or None when it could not be made; the reason is kept."""
        try:
            return make()
        except SuiteError as error:
            self.add(str(error))
            return None

    def add(self, message: str) -> None:
        if message not in self.messages:
            self.messages.append(message)

    def conclude(self) -> None:
        """Raise `SuiteError` with all of them, if there are any."""
        if self.messages:
            raise SuiteError("\n".join(self.messages))
