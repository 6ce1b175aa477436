"""Short forms for the mutants of the engine."""

import json
from collections.abc import Callable
from typing import Any

from rollout_conformance.rollout_server.inference.wire import ChatRequest
from rollout_conformance.rollout_server.mutants.framework import Mutant, around

DIALECTS = ("openai",)


def mutant(
    name: str,
    what: str,
    patch: Callable[[], None],
    requirement: str,
    companions: tuple[str, ...] = (),
    by: str = "cases",
) -> Mutant:
    return Mutant(name, requirement, what, patch, DIALECTS, companions, by, profile="CHAT")


def every(*patches: Callable[[], None]) -> Callable[[], None]:
    """One defect that takes several places."""

    def patch() -> None:
        for one in patches:
            one()

    return patch


def deaf(owner: Any, name: str, **changes: Any) -> Callable[[], None]:
    """A function that has the request first gets it with other members than were sent."""
    return around(owner, name, lambda original, request, *a: original(another(request, **changes), *a))


def another(request: ChatRequest, **changes: Any) -> ChatRequest:
    return request.model_copy(update=changes)


def compact(arguments: Any) -> Any:
    """JSON text written anew, without a blank; anything else as it is."""
    try:
        return json.dumps(json.loads(arguments), separators=(",", ":"))
    except (TypeError, ValueError):
        return arguments
