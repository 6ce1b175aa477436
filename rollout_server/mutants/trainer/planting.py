"""Short forms for the mutants of the trainer."""

from collections.abc import Callable
from typing import Any

from rollout_conformance.rollout_server.mutants.framework import BOTH, Mutant


def mutant(
    name: str,
    requirement: str,
    what: str,
    patch: Callable[[], None],
    dialects: tuple[str, ...] = BOTH,
    companions: tuple[str, ...] = (),
    by: str = "cases",
) -> Mutant:
    return Mutant(name, requirement, what, patch, dialects, companions, by, profile="TRAINER")


def method(owner: Any, name: str, change: Callable[..., Any]) -> Callable[[], None]:
    """Replace a method by `change(original, self, *arguments)`."""

    def patch() -> None:
        original = getattr(owner, name)
        setattr(owner, name, lambda self, *a, **k: change(original, self, *a, **k))

    return patch


def every(*patches: Callable[[], None]) -> Callable[[], None]:
    """One defect that takes several places."""

    def patch() -> None:
        for one in patches:
            one()

    return patch
