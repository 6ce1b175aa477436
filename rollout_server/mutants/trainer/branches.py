"""Defects of a trainer with branches, such as that of `scenarios/cards/trainer_branches.yaml`; without branches there are none."""

from dataclasses import replace
from typing import Any

from rollout_conformance.rollout_server.mutants.framework import TESTS, Mutant, around
from rollout_conformance.rollout_server.trainer.session import Branch, Session


def _joins(original: Any, self: Session) -> dict[str, Any]:
    """The record has one conversation, which all branches are joined to."""
    record: dict[str, Any] = original(self)
    lines = record.get("branches") or []
    names = ("turns", "token_ids", "response_mask", "logprobs")
    joined = {name: [one for line in lines for one in line[name]] for name in names}
    return {**record, "branches": [{**joined, "drift": None}]} if len(lines) > 1 else record


def _forgets(original: Any, self: Session, messages: Any, others: list[Branch]) -> None:
    """A new branch replaces the others in the record."""
    original(self, messages, others)
    if not self.trajectory.turns:
        others.clear()


def _shares(original: Any, self: Session, messages: Any, others: list[Branch]) -> None:
    """A new branch has the first turn of the conversation that it leaves as its own."""
    original(self, messages, others)
    if not self.trajectory.turns and others:
        first = others[-1].trajectory.turns[:1]
        others.append(Branch((), replace(self.trajectory, turns=first)))


MUTANTS = (
    Mutant(
        "joins_branches",
        breaks="189",
        also=("188",),
        what="the turns of a branch are joined to the conversation before it",
        patch=around(Session, "record", _joins),
        by=TESTS,
    ),
    Mutant(
        "forgets_branches",
        breaks="311",
        what="a new branch replaces the others in the record",
        patch=around(Session, "_turn_to", _forgets),
        by=TESTS,
    ),
    Mutant(
        "shares_turns",
        breaks="311",
        also=("188",),
        what="a turn that two branches share is in the record of both",
        patch=around(Session, "_turn_to", _shares),
        by=TESTS,
    ),
)
