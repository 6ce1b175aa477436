"""What several mutants of the worker have in common: changes of what the dialect `orcd` writes."""

from collections.abc import Callable
from typing import Any

from rollout_conformance.rollout_server.mutants.framework import Patch, after, put
from rollout_conformance.rollout_server.worker import orcd_events

Body = dict[str, Any]


def body(name: str, change: Callable[[Body], Body]) -> Patch:
    """Change the body of the event that this function of `orcd_events` makes."""
    return after(orcd_events, name, change)


def without(*names: str) -> Callable[[Body], Body]:
    return lambda body: {name: value for name, value in body.items() if name not in names}


def member(name: str, value: Any) -> Callable[[Body], Body]:
    """Replace a member that is there."""
    return lambda body: body | ({name: value} if name in body else {})


__all__ = ["Body", "body", "member", "put", "without"]
