"""What can be seen to be wrong with a case about an engine before it is played: replies are spoken of that nobody asked for."""

from collections.abc import Iterator, Sequence
from typing import Any

from rollout_conformance.steps.engine.cases import Action, Expectation, Step
from rollout_conformance.steps.engine.findings import Location
from rollout_conformance.steps.engine.suggestions import unknown_name
from rollout_conformance.steps.profiles.chat.actions import Ask

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
        if isinstance(step.what, Ask) and step.what.after and not _is_known(step.what.after, known):
            yield step.at, unknown_name("reply", step.what.after, known)
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
    """Several replies to one question are called name#1, name#2 and so on. `it` is what is meant where nothing is said, and may be none."""
    return name == "it" or name.partition("#")[0] in {one.partition("#")[0] for one in known}


def _several(value: Any) -> tuple[str, ...]:
    return value if isinstance(value, tuple) else (value,) if isinstance(value, str) else ()
