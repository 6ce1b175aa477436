"""What can be seen to be wrong with a case about a router before it is played: replies are spoken of that nobody asked for."""

from collections.abc import Iterator, Sequence
from typing import Any

from rollout_conformance.steps.engine.cases import Action, Expectation, Step
from rollout_conformance.steps.engine.findings import Location
from rollout_conformance.steps.engine.phrase_types import ORDINALS
from rollout_conformance.steps.engine.suggestions import unknown_name
from rollout_conformance.steps.profiles.chat.requests import ChatRequest

Mistake = tuple[Location | None, str]
NAMING = (
    "of",
    "like",
    "greedy",
    "beside",
    "part",
    "wholes",
    "full",
    "cut",
    "calls",
    "before",
    "after",
    "between",
    "than",
)


def mistakes(steps: Sequence[Step]) -> Iterator[Mistake]:
    known: list[str] = []
    for step in steps:
        if isinstance(step.what, ChatRequest) and step.what.continues and not _is_known(step.what.continues, known):
            yield step.at, unknown_name("reply", step.what.continues, known)
        if isinstance(step.what, Action):
            known += [getattr(step.what, name) for name in ("name", "other") if getattr(step.what, name, "")]
        if isinstance(step.what, Expectation):
            yield from _spoken_of(step, known)


def _spoken_of(step: Step, known: Sequence[str]) -> Iterator[Mistake]:
    for member in NAMING:
        for name in _several(getattr(step.what, member, ())):
            if name and not _is_known(name, known):
                yield step.at, f"{member}: {unknown_name('reply', name, known)}"


def _is_known(name: str, known: Sequence[str]) -> bool:
    """Several replies to one question are called name#1, name#2 and so on. Words that count responses are found when the case is judged."""
    return name in ("it", "both", "all", *ORDINALS) or name.partition("#")[0] in {
        one.partition("#")[0] for one in known
    }


def _several(value: Any) -> tuple[str, ...]:
    return value if isinstance(value, tuple) else (value,) if isinstance(value, str) else ()
