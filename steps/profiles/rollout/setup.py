"""What the members of a case beside its steps stand for: how the start request differs, and what the trainer answers."""

from collections.abc import Iterator
from functools import partial
from typing import Any

from rollout_conformance.steps.engine.case_model import Setup
from rollout_conformance.steps.engine.cases import Step
from rollout_conformance.steps.engine.yaml_source import Path_
from rollout_conformance.steps.peers.script import Reply, Script
from rollout_conformance.steps.profiles.rollout.actions import End, Start, StartWith, TrainerSays
from rollout_conformance.steps.profiles.rollout.case_model import Line, Part, RolloutCase
from rollout_conformance.steps.profiles.rollout.start_request import StartOverrides
from rollout_conformance.steps.profiles.rollout.vocabulary import ack, line, start_with

SCRIPTED = ("message", "put", "drop", "odd", "finish", "end_token", "digits", "content_type")


def of(label: str, part: Part | RolloutCase, path: Path_) -> Iterator[Setup]:
    """The actions that prepare one rollout."""
    yield (*path, "start"), "start", partial(_start_with, label, part)
    for n, model in enumerate(part.trainer):
        yield (*path, "trainer", n), "trainer", partial(_line, label, model)
    if part.acks:
        yield (*path, "acks"), "acks", partial(_acks, label, part)


def default_steps(labels: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
    """Every rollout is started, and all come to their end."""
    for label in labels:
        yield "start", Start(label)
    yield "end", End()


def _start_with(label: str, part: Part | RolloutCase) -> StartWith | None:
    wanted = start_with(part.start, label)
    return wanted if wanted.wanted != StartOverrides() else None


def _line(label: str, model: Line) -> TrainerSays:
    return TrainerSays(Script(line(model)), label)


def _acks(label: str, part: Part | RolloutCase) -> TrainerSays:
    return TrainerSays(Script((), tuple(ack(one) for one in part.acks)), label)


def needs_of(steps: tuple[Step, ...]) -> frozenset[str]:
    """`tools`, when the trainer calls one."""
    lines = [line for step in steps if isinstance(step.what, TrainerSays) for line in step.what.script.lines]
    return frozenset({"tools"} if any(isinstance(line, Reply) and line.calls for line in lines) else ())


def only_scripted(what: Any) -> str:
    """Why no real model can be made to answer so; empty where one can: a reply is changed, cut short, or spelled in other ids."""
    plain = Reply()
    replies = [line for line in what.script.lines if isinstance(line, Reply)] if isinstance(what, TrainerSays) else []
    bent = any(getattr(line, name) != getattr(plain, name) for line in replies for name in SCRIPTED)
    return "a live model cannot be made to answer so" if bent else ""
