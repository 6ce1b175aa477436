"""Unexpected errors of the servers of this process: a mutant that has one is itself broken, unless that is its defect."""

import contextlib
from collections.abc import Iterator

from rollout_conformance.rollout_server.common import logs


@contextlib.contextmanager
def recorded() -> Iterator[list[str]]:
    """The type and the line of each, in order. Every server asks `logs.location` for them where it catches what nothing else
    caught, and only there."""
    found: list[str] = []
    original = logs.location

    def location(error: BaseException) -> str:
        found.append(original(error))
        return found[-1]

    logs.location = location
    try:
        yield found
    finally:
        logs.location = original
