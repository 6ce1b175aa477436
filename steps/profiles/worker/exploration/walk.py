"""A walk: jobs that begin, wait, are cancelled and abandoned in an order that is drawn, as far as the table of the client allows it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st

from rollout_conformance.contracts.lifecycle import Table
from rollout_conformance.contracts.worker.lifecycle import CANCELLING, QUEUED, STREAMING
from rollout_conformance.steps.profiles.parts import Document
from rollout_conformance.steps.profiles.worker.dialects import DIALECTS
from rollout_conformance.steps.profiles.worker.exploration.document import (
    LONG,
    SHORT,
    Item,
    executed,
    scenario,
)

NAMES = ("a", "b", "c", "d")
MOST = 8  # moves
JOBS: tuple[Mapping[str, Any], ...] = (
    SHORT,
    LONG,
    {"prompt": "Write a list.", "max_tokens": 60, "temperature": 1.0, "seed": 5},
)
COUNTS = (0, 1, 5)


@dataclass(slots=True)
class _Walk:
    """The state of each job that has begun, by its name, and what was done so far."""

    dialect: str
    table: Mapping[str, Mapping[str, str]]
    states: dict[str, str] = field(default_factory=dict)
    steps: list[Item] = field(default_factory=list)

    def moves(self) -> list[tuple[str, str]]:
        """What may be done next, as (move, name of a job)."""
        found = [("execute", NAMES[len(self.states)])] if len(self.states) < len(NAMES) else []
        for name, state in self.states.items():
            found += [(event, name) for event in self.table[state] if self._may(event)]
            found += [("wait", name)] if state == QUEUED else []
        return [*found, ("health", "")]

    def _may(self, event: str) -> bool:
        return event != "JobCancelled" or DIALECTS[self.dialect].cancel is not None

    def done(self, move: str, name: str, job: Mapping[str, Any], count: int) -> None:
        if move == "execute":
            self.steps.append(executed(name, dict(job)))
            self.states[name] = QUEUED
        elif move == "wait":
            self.steps.append({"wait_for_tokens": {"of": name, "count": count}})
            self.states[name] = STREAMING
        elif move == "health":
            self.steps.append("health")
        else:
            # A job that has not begun may be unknown to the worker, and the table knows no cancellation before it.
            begun = [] if self.states[name] != QUEUED else [{"wait_for_tokens": {"of": name, "count": 0}}]
            verb = "cancel" if move == "JobCancelled" else "disconnect"
            self.steps += [*begun, {verb: {"of": name}}]
            self.states[name] = self.table[self.states[name]][move]

    def document(self) -> Document:
        undisturbed = [name for name, state in self.states.items() if state in (QUEUED, STREAMING)]
        cancelled = [name for name, state in self.states.items() if state == CANCELLING]
        expect: list[Item] = [{"carried_out": undisturbed}] if undisturbed else []
        return scenario(self.dialect, self.steps, [*expect, *({"cancelled": name} for name in cancelled)])


@st.composite
def _walk(draw: st.DrawFn, dialect: str, table: Table) -> Document:
    walk = _Walk(dialect, table["client"])
    for _ in range(draw(st.integers(1, MOST))):
        move, name = draw(st.sampled_from(walk.moves()))
        walk.done(move, name, draw(st.sampled_from(JOBS)), draw(st.sampled_from(COUNTS)))
    return walk.document()


def walks(dialect: str, table: Table, *, stops: bool) -> st.SearchStrategy[Document]:
    """Walks over the lifecycle table of a dialect, a scenario each."""
    return _walk(dialect, table)
