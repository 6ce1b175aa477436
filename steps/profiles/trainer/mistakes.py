"""Mistakes in the steps of a case about a trainer that show before it is played."""

from collections.abc import Iterator, Sequence

from rollout_conformance.steps.engine.cases import Step
from rollout_conformance.steps.engine.findings import Location
from rollout_conformance.steps.engine.suggestions import unknown_name
from rollout_conformance.steps.profiles.trainer import actions as do

Mistake = tuple[Location | None, str]


def mistakes(steps: Sequence[Step]) -> Iterator[Mistake]:
    started: list[str] = []
    for step in steps:
        if isinstance(step.what, do.StartRollout):
            yield from _unknown(step, step.what.same_server_as, started)
            yield from _unknown(step, step.what.id_like, started)
            started.append(step.what.rollout)
            continue
        label = getattr(step.what, "rollout", None)
        if label is not None and label not in started and not (label == "" and started):
            unnamed = "no rollout was started before this step; write `start_rollout` first"
            yield step.at, unknown_name("rollout", label, started) if label else unnamed
        yield from _unknown(step, str(getattr(step.what, "key_of", "")), started)


def _unknown(step: Step, label: str, started: Sequence[str]) -> Iterator[Mistake]:
    if label and label not in started:
        yield step.at, unknown_name("rollout", label, started)
