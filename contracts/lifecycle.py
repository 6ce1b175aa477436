"""Protocol order as data: role -> state -> event -> next state.

One table serves the invariants, the random walks, the diagrams and the "legal" part of messages. It does not distinguish the sides: the
peers that the suite plays follow the same table as the system under test.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

Table = Mapping[str, Mapping[str, Mapping[str, str]]]


def stay(state: str, *events: str) -> dict[str, str]:
    """A row in which these events do not change the state."""
    return dict.fromkeys(events, state)


@dataclass(frozen=True, slots=True)
class OutOfOrder:
    """An event that the role may not emit in this state; `legal` lists the events that it may emit."""

    role: str
    state: str
    event: str
    legal: tuple[str, ...]

    def __str__(self) -> str:
        allowed = ", ".join(self.legal) or "nothing, it is final"
        return f"{self.event} while {self.state}; legal for the {self.role} in {self.state}: {allowed}"


def advance(table: Table, state: str, role: str, event: str) -> str | OutOfOrder:
    """The state after `event`, or the breach. A breach does not change the state."""
    row = table[role][state]
    return row.get(event) or OutOfOrder(role, state, event, tuple(sorted(row)))


def legal(table: Table, state: str) -> tuple[tuple[str, str], ...]:
    """Every (role, event) that is legal in `state`."""
    return tuple((role, event) for role, states in table.items() for event in states[state])


def states(table: Table) -> tuple[str, ...]:
    """All states, in the order of the table."""
    return tuple(dict.fromkeys(state for rows in table.values() for state in rows))


def check(table: Table) -> list[str]:
    """The errors of a table: a role without a row for a state, a transition to an undefined state, an unreachable state."""
    known = set(states(table))
    problems = [f"{role} has no row for {state}" for role, rows in table.items() for state in known - set(rows)]
    targets = {target for rows in table.values() for row in rows.values() for target in row.values()}
    problems += [f"a transition leads to {target}, which has no row" for target in targets - known]
    first = states(table)[0]
    problems += [f"nothing leads to {state}" for state in known - targets - {first}]
    return sorted(problems)


def mermaid(table: Table) -> str:
    """The table as a Mermaid state diagram, with arrows labelled `role: event`."""
    return "\n".join(["stateDiagram-v2", f"    [*] --> {states(table)[0]}", *_arrows(table)])


def _arrows(table: Table) -> Iterable[str]:
    for role, rows in table.items():
        for state, row in rows.items():
            for event, target in row.items():
                if target != state:
                    yield f"    {state} --> {target}: {role}: {event}"
