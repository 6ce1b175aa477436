"""What can be seen to be wrong with a case about a trainer before it is played."""

from collections.abc import Iterator, Sequence

from rollout_conformance.steps.engine.cases import Step
from rollout_conformance.steps.engine.findings import Location
from rollout_conformance.steps.engine.suggestions import unknown_name
from rollout_conformance.steps.profiles.trainer import actions as do

Mistake = tuple[Location | None, str]


def mistakes(steps: Sequence[Step]) -> Iterator[Mistake]:
    enrolled: list[str] = []
    for step in steps:
        if isinstance(step.what, do.Enroll):
            yield from _named(step, step.what.beside, enrolled)
            enrolled.append(step.what.rollout)
            continue
        label = getattr(step.what, "rollout", None)
        if label is not None and label not in enrolled and not (label == "" and enrolled):
            told = (
                unknown_name("rollout", label, enrolled)
                if label
                else "speaks of a rollout, and none is enrolled before"
            )
            yield step.at, told
        key = str(getattr(step.what, "key", ""))
        if key.startswith("other:"):
            yield from _named(step, key.removeprefix("other:"), enrolled)


def _named(step: Step, label: str, enrolled: Sequence[str]) -> Iterator[Mistake]:
    if label and label not in enrolled:
        yield step.at, unknown_name("rollout", label, enrolled)
