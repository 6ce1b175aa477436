"""A scenario with one thing less: whole rollouts, then single steps.

Hypothesis shrinks the choices that led to a walk; what is left over in the text of it goes here.
"""

import copy
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from rollout_conformance.steps.profiles.parts import Document


def smaller(document: Document) -> Iterator[Document]:
    """The document with one thing less, the largest things first."""
    (case,) = document["cases"]
    labels = list(case.get("rollouts", ()))
    for label in labels if len(labels) > 1 else ():
        yield _without_rollout(document, label)
    for n, step in enumerate(case["steps"]):
        if _spare(step):
            yield _without_step(document, n)


def _spare(step: Any) -> bool:
    verb = step if isinstance(step, str) else next(iter(step))
    return verb in ("resend_start", "send", "wait_for_generation_request", "wait_for_callback")


def _without_step(document: Document, n: int) -> Document:
    return _changed(document, lambda case: case["steps"].pop(n))


def _changed(document: Document, change: Callable[[dict[str, Any]], Any]) -> Document:
    mine = copy.deepcopy(dict(document))
    change(mine["cases"][0])
    return mine


def _without_rollout(document: Document, label: str) -> Document:
    def change(case: dict[str, Any]) -> None:
        del case["rollouts"][label]
        for key in ("steps", "expect"):
            case[key] = [item for item in case[key] if not _about(item, label)]

    return _changed(document, change)


def _about(item: Any, label: str) -> bool:
    """Whether a step or expectation is about this rollout alone; the name of a held reply begins with its label."""
    if not isinstance(item, Mapping):
        return False
    ((verb, value),) = item.items()
    if isinstance(value, Mapping):
        return value.get("rollout") == label
    return value == label or (verb == "release" and str(value).startswith(label))
