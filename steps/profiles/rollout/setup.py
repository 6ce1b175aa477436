"""What the members of a case beside its steps stand for: how the start request differs, and the script of the trainer."""

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from rollout_conformance.steps.engine.case_model import Setup
from rollout_conformance.steps.engine.cases import Step
from rollout_conformance.steps.engine.lenient_json import JsonObject
from rollout_conformance.steps.engine.yaml_source import Path_
from rollout_conformance.steps.peers.script import Reply, Script
from rollout_conformance.steps.profiles.rollout.actions.prepare import ScriptTrainer, SetStartRequest
from rollout_conformance.steps.profiles.rollout.actions.start import Start
from rollout_conformance.steps.profiles.rollout.actions.wait import WaitForEnd
from rollout_conformance.steps.profiles.rollout.case_model import (
    Acknowledgement,
    Line,
    Part,
    RolloutCase,
    StartModel,
    overrides,
)
from rollout_conformance.steps.profiles.rollout.start_request import MEMBERS, StartOverrides, known_members
from rollout_conformance.steps.profiles.rollout.trainer_script import ack, lines

SCRIPTED = ("message", "put", "drop", "odd", "finish", "end_token", "digits", "content_type")
OWN = ("path", "scheme", "tokenizer", "metadata_bytes", "padding_bytes")  # members of StartOverrides with the same name
SHAPED = ("rollout_id", "max_tokens_total")  # these are not sent as they are written, where they are objects


def of(label: str, part: Part | RolloutCase, path: Path_) -> Iterator[Setup]:
    """The actions that prepare one rollout."""
    yield (*path, "start"), "start", partial(_start_request, label, part)
    for n, model in enumerate(part.trainer):
        yield (*path, "trainer", n), "trainer", partial(responses, model, label)
    if part.acks:
        yield (*path, "acks"), "acks", partial(acknowledgements, tuple(part.acks), label)


def default_steps(labels: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
    """Every rollout is started, and all ends are waited for."""
    for label in labels:
        yield "start", Start(label)
    yield "wait_for_end", WaitForEnd()


def _start_request(label: str, part: Part | RolloutCase) -> SetStartRequest | None:
    action = start_request(part.start, label)
    return action if action.overrides != StartOverrides() else None


def responses(model: Line, label: str = "") -> ScriptTrainer:
    """One line of the script."""
    return ScriptTrainer(Script(lines(model)), label)


def acknowledgements(written: tuple[int | str | Acknowledgement, ...], label: str = "") -> ScriptTrainer:
    """The responses to callbacks."""
    return ScriptTrainer(Script((), tuple(ack(one) for one in written)), label)


def start_request(model: StartModel, label: str = "") -> SetStartRequest:
    """How the start request differs. Raises `ValueError` for members that the protocol does not know."""
    written = dict(overrides(model))
    shape, limit = written.get("rollout_id"), written.get("max_tokens_total")
    for name in (*OWN, "without", "raw", "unknown"):
        written.pop(name, None)
    known_members((*written, *model.without))
    known = [name for name in model.unknown if name in MEMBERS]
    if known:
        raise ValueError(f"unknown: {known[0]} is a member that the protocol knows; write it without `unknown`")
    written |= model.unknown
    members = {name: value for name, value in written.items() if not (name in SHAPED and isinstance(value, Mapping))}
    own = {name: getattr(model, name) for name in OWN}
    changed = StartOverrides(
        members,
        tuple(model.without),
        shape if isinstance(shape, Mapping) else {},
        raw=model.raw.encode() if model.raw is not None else None,
        budget=_budget(limit) if isinstance(limit, Mapping) else None,
        **own,
    )
    return SetStartRequest(changed, label)


def _budget(written: JsonObject) -> tuple[int, int]:
    sampled, plus = written.get("sampled"), written.get("plus", 0)
    if not set(written) <= {"sampled", "plus"} or not isinstance(sampled, int) or not isinstance(plus, int):
        raise ValueError(f"max_tokens_total is a value, or {{sampled: 2, plus: 0}}; seen: {dict(written)!r}")
    return sampled, plus


def needs_of(steps: tuple[Step, ...]) -> frozenset[str]:
    """`tools`, when the policy calls one."""
    script = [line for step in steps if isinstance(step.what, ScriptTrainer) for line in step.what.script.lines]
    return frozenset({"tools"} if any(isinstance(line, Reply) and line.calls for line in script) else ())


def only_scripted(what: Any) -> str:
    """Why no real model can be made to answer so; empty where one can: a reply is changed, truncated, or spelled in other ids."""
    plain = Reply()
    replies = [line for line in what.script.lines if isinstance(line, Reply)] if isinstance(what, ScriptTrainer) else []
    changed = any(getattr(line, name) != getattr(plain, name) for line in replies for name in SCRIPTED)
    return "a live model cannot be made to answer so" if changed else ""
