"""Draws one walk over the table of a dialect: at every step one call that the table allows, often disturbed."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from hypothesis import strategies as st

from rollout_conformance.contracts.lifecycle import Table
from rollout_conformance.steps.profiles.parts import Document
from rollout_conformance.steps.profiles.training.exploration import moves, program
from rollout_conformance.steps.profiles.training.exploration.program import Move
from rollout_conformance.steps.profiles.training.responses import SIGNAL

T = TypeVar("T")
MOST = 8  # events of one walk
CREATED = {"signal": "CreateRun", "tinker-json": "CreateModel", "tinker": "CreateModel"}
ENDING = ("Unload", "Complete")  # nothing could be measured afterwards
STEPS = (True, False)  # with a large eps and with the usual one
Pick = Callable[[Sequence[T]], T]


def walks(dialect: str, table: Table, *, stops: bool) -> "st.SearchStrategy[Document]":
    """Scenarios, each a walk over the table that ends with a step."""

    @st.composite
    def walk(draw: Callable[[Any], Any]) -> Document:
        def pick(values: Sequence[object]) -> object:
            return draw(st.sampled_from(list(values)))

        made = _moves(dialect, table, pick, draw(st.integers(1, MOST)))
        return program.document("a walk", dialect, made)

    return walk()


def _moves(dialect: str, table: Table, pick: Pick[Any], count: int) -> list[Move]:
    rows = table["client"]
    state = rows["ABSENT"][CREATED[dialect]]
    made: list[Move] = []
    saved: list[str] = []
    while len(made) < count:
        events = [one for one in rows[state] if one not in ENDING and (one != "Load" or saved)]
        event = pick(sorted(events, key=["ForwardBackward", "OptimStep", *events].index))
        made.append(_move(dialect, event, pick, saved, len(made)))
        if event == "Save" and state == "CLEAN":
            saved.append(made[-1].saves)
        state = rows[state][event]
        if pick((False, False, True)):
            made.append(_disturbance(dialect, pick))
    if state != "GRADED":
        made.append(moves.trained(("A",)))
    return [*made, moves.stepped()]


def _disturbance(dialect: str, pick: Pick[Any]) -> Move:
    found: Move = pick([moves.COMPANY] if dialect == SIGNAL else [moves.COMPANY, *_steady().values()])
    return found


def _steady() -> dict[str, Move]:
    """Those that are right in each state: a batch without weight is a gradient, which a model without one does not have."""
    return {name: move for name, move in moves.IDEMPOTENT.items() if name != "a batch without weight"}


def _move(dialect: str, event: str, pick: Pick[Any], saved: Sequence[str], n: int) -> Move:
    if event in ("ForwardBackward", "OptimStep"):
        call = _call(dialect, event, pick)
        return _posted(dialect, call, pick)
    if event == "ForwardBackwardAnew":
        call = moves.gradient(pick(moves.BATCHES), accumulate=False)
        return Move("a batch anew", (call,), (call,))
    if event == "Save":
        return moves.saved(f"save{n}")
    if event == "Load":
        return moves.loaded(pick(saved))
    return moves.SAMPLED if event == "Sample" else moves.IDEMPOTENT["an evaluation"]


def _call(dialect: str, event: str, pick: Pick[Any]) -> dict[str, object]:
    if event == "OptimStep":
        return moves.step(pick(STEPS) if dialect != SIGNAL else True)
    weights = (1.0,) if dialect == SIGNAL else pick(moves.WEIGHTS)
    return moves.gradient(pick(moves.BATCHES), weights)


def _posted(dialect: str, call: dict[str, object], pick: Pick[Any]) -> Move:
    """A call that arrives once, twice, over a connection that is lost, or after the call that follows it."""
    plainly = Move("a call", (call,), (call,))
    if dialect == SIGNAL:
        return plainly
    ways = [plainly, plainly, moves.twice(call), moves.lost(call)]
    if "forward_backward" in call:
        ways.append(moves.swapped(call, moves.gradient(pick(moves.BATCHES))))
    found: Move = pick(ways)
    return found
