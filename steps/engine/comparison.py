"""What one comparison of a case showed, before it is known which requirement it is about."""

from dataclasses import dataclass

from rollout_conformance.steps.engine.findings import Evidence, evidence


@dataclass(frozen=True, slots=True)
class Comparison:
    """`exchanges` are the numbers of those that show it; `timing` when only the clock shows it; `duplicates_invariant` when an invariant
    judges it as well; `proof` are more exchanges that a reader needs to see."""

    ok: bool
    expected: str
    observed: str
    exchanges: tuple[int, ...] = ()
    timing: bool = False
    duplicates_invariant: bool = False
    proof: tuple[int, ...] = ()

    def evidence(self, requirement: str) -> Evidence:
        return evidence(
            requirement,
            self.ok,
            self.expected,
            self.observed,
            *self.exchanges,
            timing=self.timing,
            duplicates_invariant=self.duplicates_invariant,
            proof=self.proof,
        )
