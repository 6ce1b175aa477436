"""Protocol order as data: role -> state -> event -> next state.

One table serves the checker, the random walks, the diagrams and the "legal here" part of messages. It does not know whose
side it is on: the peers that the suite plays go through the same table as the system under test.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

Table = Mapping[str, Mapping[str, Mapping[str, str]]]


@dataclass(frozen=True, slots=True)
class OutOfOrder:
    """An event that its role may not emit in this state; `legal` is what it might have done instead."""

    role: str
    state: str
    event: str
    legal: tuple[str, ...]

    def __str__(self) -> str:
        allowed = ", ".join(self.legal) or "nothing, it is final"
        return f"{self.event} while {self.state}; legal for the {self.role} in {self.state}: {allowed}"


def advance(table: Table, state: str, role: str, event: str) -> str | OutOfOrder:
    """The state after `event`, or the breach; a breach leaves the state as it was."""
    row = table[role][state]
    return row.get(event) or OutOfOrder(role, state, event, tuple(sorted(row)))


def legal(table: Table, state: str) -> tuple[tuple[str, str], ...]:
    """Every (role, event) that may happen in `state`."""
    return tuple((role, event) for role, states in table.items() for event in states[state])


def states(table: Table) -> tuple[str, ...]:
    """All states, in the order in which the table names them."""
    return tuple(dict.fromkeys(state for rows in table.values() for state in rows))


def check(table: Table) -> list[str]:
    """What is wrong with a table: a role that lacks a state, a transition into nowhere, a state that nothing reaches."""
    known = set(states(table))
    problems = [f"{role} has no row for {state}" for role, rows in table.items() for state in known - set(rows)]
    targets = {target for rows in table.values() for row in rows.values() for target in row.values()}
    problems += [f"a transition leads to {target}, which has no row" for target in targets - known]
    first = states(table)[0]
    problems += [f"nothing leads to {state}" for state in known - targets - {first}]
    return sorted(problems)


def mermaid(table: Table) -> str:
    """The table as a Mermaid state diagram; an arrow is labelled `role: event`."""
    return "\n".join(["stateDiagram-v2", f"    [*] --> {states(table)[0]}", *_arrows(table)])


def _arrows(table: Table) -> Iterable[str]:
    for role, rows in table.items():
        for state, row in rows.items():
            for event, target in row.items():
                if target != state:
                    yield f"    {state} --> {target}: {role}: {event}"
