"""Draws one walk over the lifecycle table: at every step one event that the table allows the trainer in the state of some rollout.

The walk is a scenario when it is done, so that whatever it finds can be read, kept and run again without it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from hypothesis import strategies as st

from rollout_conformance.contracts.lifecycle import Table, advance, legal
from rollout_conformance.steps.engine.lenient_json import JSON
from rollout_conformance.steps.profiles.rollout.exploration.scenario_emitter import (
    ACKS,
    ANSWERS,
    FAULTS,
    LOST_ACKS,
    STARTS,
    WEIGHTS,
    Part,
    alone,
    document,
    ends,
)
from rollout_conformance.steps.profiles.rollout.mistakes import NEVER
from rollout_conformance.steps.profiles.rollout.start_request import STREAMED

T = TypeVar("T")
ABOUT = "ROLLOUT-045"  # every rollout that asks at all gives evidence for it
STOPPED = "ROLLOUT-144"  # what a server owes that is asked to stop
MOST_ROLLOUTS, MOST_STEPS, MOST_ACKS = 3, 30, 3


@dataclass(slots=True)
class Walk:
    """`table` is the lifecycle of `dialect`; `pick` chooses one of several, the first being the simplest."""

    dialect: str
    table: Table
    pick: Callable[[Sequence[Any]], Any]
    parts: list[Part]
    steps: list[Any]

    def moves(self) -> list[tuple[Part, str]]:
        """What the trainer may do next, in any rollout or in a new one."""
        if all(part.state != "IDLE" for part in self.parts) and len(self.parts) < MOST_ROLLOUTS:
            self.parts.append(Part(chr(ord("a") + len(self.parts))))
        return [
            (part, event)
            for part in self.parts
            for role, event in legal(self.table, part.state)
            if part.state != "OVER"
            if role == "trainer" and getattr(self, f"may_{event}")(part)
            for _ in range(WEIGHTS.get(event, 1))
        ]

    def make(self, part: Part, event: str) -> None:
        getattr(self, f"do_{event}")(part)

    def may_StartSent(self, part: Part) -> bool:  # noqa: N802 (the table's own name)
        return part.state != "REJECTED"

    def do_StartSent(self, part: Part) -> None:  # noqa: N802
        if part.state != "IDLE":
            self.steps.append({"resend_start": {"rollout": part.label}})
            return
        part.start = self.pick(STARTS if self.dialect not in STREAMED else STARTS[:1])
        self.steps.append({"start": part.label})
        self._after(part, "trainer", "StartSent")
        self._asked(part)

    def may_GenerationReturned(self, part: Part) -> bool:  # noqa: N802
        return part.state == "WAITING"

    def do_GenerationReturned(self, part: Part) -> None:  # noqa: N802
        line = dict(self.pick(ANSWERS))
        if not part.loose:
            self.steps.append({"release": part.hold})
            line["hold"] = part.hold
        part.lines.append(line)
        self._after(part, "trainer", "GenerationReturned")
        if ends(line, part):
            self._reported(part)
        else:
            self._asked(part)

    def may_GenerationFailed(self, part: Part) -> bool:  # noqa: N802
        return part.state == "WAITING"

    def do_GenerationFailed(self, part: Part) -> None:  # noqa: N802
        """What the server does next is free: it may ask again or end. The last line is for one that asks again."""
        part.lines += [{"fail": self.pick(FAULTS)}, dict(self.pick(ANSWERS)), {"text": "Done."}]
        part.loose, part.state = True, "OVER"

    def may_CompletedAcknowledged(self, part: Part) -> bool:  # noqa: N802
        return part.state == "REPORTING"

    def do_CompletedAcknowledged(self, part: Part) -> None:  # noqa: N802
        part.acks.append(self.pick(ACKS))
        self._after(part, "trainer", "CompletedAcknowledged")
        if ("server", "GradedSent") in legal(self.table, part.state):
            self._after(part, "server", "GradedSent")
        else:
            self.steps.append({"wait_for_end": part.label})

    def may_CompletedUnacknowledged(self, part: Part) -> bool:  # noqa: N802
        return part.state == "REPORTING" and part.posts == 1

    def do_CompletedUnacknowledged(self, part: Part) -> None:  # noqa: N802
        part.acks.append(self.pick(LOST_ACKS))
        self._after(part, "trainer", "CompletedUnacknowledged")
        self._after(part, "server", "CompletedSent")
        part.posts += 1

    def may_GradedAcknowledged(self, part: Part) -> bool:  # noqa: N802
        return True

    def do_GradedAcknowledged(self, part: Part) -> None:  # noqa: N802
        part.acks.append(self.pick(ACKS))
        self._after(part, "trainer", "GradedAcknowledged")
        self.steps.append({"wait_for_end": part.label})

    def may_GradedUnacknowledged(self, part: Part) -> bool:  # noqa: N802
        return part.state == "GRADING" and len(part.acks) < MOST_ACKS

    def do_GradedUnacknowledged(self, part: Part) -> None:  # noqa: N802
        part.acks.append(self.pick(LOST_ACKS))
        self._after(part, "trainer", "GradedUnacknowledged")
        self._after(part, "server", "GradedSent")

    def may_CancelSent(self, part: Part) -> bool:  # noqa: N802
        return True

    def do_CancelSent(self, part: Part) -> None:  # noqa: N802
        """What runs is over, whatever the trainer may answer to the call that is out; what has ended stays as it is."""
        self.steps.append({"cancel": part.label})
        if part.state == "WAITING":
            part.lines.append({"call": "any", "hold": NEVER})
            part.state = "OVER"

    def _asked(self, part: Part) -> None:
        """The server's turn: it asks for the next generation."""
        part.calls += 1
        self._after(part, "server", "GenerationRequested")
        self.steps.append({"wait_for_generation_request": {"nth": part.calls, "rollout": part.label}})

    def _reported(self, part: Part) -> None:
        """The server's turn: the rollout is over."""
        if any(event == "ResultReturned" for _, event in legal(self.table, part.state)):
            self._after(part, "server", "ResultReturned")
            self.steps.append({"wait_for_end": part.label})
            return
        self._after(part, "server", "CompletedSent")
        part.posts += 1
        self.steps.append({"wait_for_callback": {"times": 1, "rollout": part.label}})

    def _after(self, part: Part, role: str, event: str) -> None:
        after = advance(self.table, part.state, role, event)
        assert isinstance(after, str), after
        part.state = after

    def may_stop(self) -> bool:
        """Whether each rollout has a report to give, or has given all: between two reports the next one is the server's own affair."""
        return self.dialect in ("callback", "routed") and all(
            part.state not in ("DONE", "GRADING", "UNGRADED") for part in self.parts
        )

    def stop(self) -> None:
        """The server is asked to end in the middle of everything. No reply comes any more, and every trainer must be told."""
        for part in self.parts:
            if part.state == "WAITING":
                part.lines.append({"text": "Never.", "hold": NEVER})
            elif part.state == "REPORTING":
                part.acks.append(200)
        self.steps.append("stop_server")

    def close(self) -> None:
        """Bring every rollout to its end."""
        for part in self.parts:
            if part.state == "WAITING":
                part.lines.append({"text": "Done."})
            elif part.state in ("REPORTING", "GRADING"):
                part.acks.append(200)
        self.steps.append({"wait_for_end": "all"})


@st.composite
def walks(
    draw: st.DrawFn, dialect: str, table: Table, most_steps: int = MOST_STEPS, stops: bool = False
) -> dict[str, JSON]:
    """Scenario documents, one case each. Shrinks towards one rollout, few moves, plain answers.

    With `stops` they end with the end of the server, wherever that is possible, and are about what it owes then.
    """
    walk = Walk(dialect, _open_ended(table), lambda some: draw(st.sampled_from(some)), [Part("a")], [])
    walk.make(walk.parts[0], "StartSent")
    # One flag a move, zero for the end: what is not needed can be cut out of the middle when a walk is shrunk.
    while len(walk.steps) < most_steps and draw(st.integers(0, 12)):
        moves = walk.moves()
        if not moves:
            break
        walk.make(*draw(st.sampled_from(moves)))
    if stops and walk.may_stop():
        walk.stop()
        return alone(document(dialect, walk.parts, walk.steps, STOPPED, "a walk that ends with the server"))
    walk.close()
    return document(dialect, walk.parts, walk.steps, ABOUT, "a walk that was not written down")


def _open_ended(table: Table) -> Table:
    """The table with a state for rollouts that are left to themselves."""
    return {role: {**rows, "OVER": {"StartSent": "OVER"} if role == "trainer" else {}} for role, rows in table.items()}
