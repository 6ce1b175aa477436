"""Evidence about the requirements of this profile."""

from rollout_conformance.steps.engine.findings import Finding, Satisfied


def satisfied(number: int) -> Satisfied:
    return Satisfied(f"TRAINER-{number}")


def broken(number: int, expected: str, observed: str, *exchanges: int) -> Finding:
    return Finding(f"TRAINER-{number}", expected, observed, exchanges)
