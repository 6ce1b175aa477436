"""Events walked through the table of a lifecycle: the state after them, and which were out of order."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from rollout_conformance.contracts.lifecycle import OutOfOrder, Table, advance


@dataclass(frozen=True, slots=True)
class Order:
    """A table of which one role is judged. `breaches` gives the requirement that an event breaks in a state, `otherwise` the one for all
    that it does not list."""

    table: Table
    role: str
    breaches: Mapping[tuple[str, str], str]
    otherwise: str

    def legal(self, state: str) -> str:
        """What may happen in a state, in words."""
        return ", ".join(sorted(self.table[self.role][state])) or "nothing, it is final"


@dataclass(slots=True)
class Walk:
    """Where a sequence of events has come to. `found` are the breaches: (requirement, which event it was and what was legal)."""

    order: Order
    state: str
    found: list[tuple[str, str]] = field(default_factory=list)

    def step(self, event: str, where: str) -> bool:
        """Go on by one event, which stands at `where`. False when it is out of order; the state then stays as it was."""
        after = advance(self.order.table, self.state, self.order.role, event)
        if isinstance(after, OutOfOrder):
            requirement = self.order.breaches.get((self.state, event), self.order.otherwise)
            self.found.append((requirement, f"{where}: {after}"))
            return False
        self.state = after
        return True

    def of(self, requirement: str) -> list[str]:
        return [told for name, told in self.found if name == requirement]
