"""Pairs of disturbances: one training program, in which every two things that must not matter happen at least once."""

import itertools
import random
from collections.abc import Iterator, Mapping

from rollout_conformance.steps.profiles.parts import Document
from rollout_conformance.steps.profiles.training.exploration import moves, program
from rollout_conformance.steps.profiles.training.exploration.program import Move
from rollout_conformance.steps.profiles.training.responses import SIGNAL

DISTURBANCES: Mapping[str, Move] = {
    **moves.IDEMPOTENT,
    "another model": moves.COMPANY,
    "a batch posted twice": moves.twice(moves.gradient(("B",))),
    "a lost connection": moves.lost(moves.gradient(("B",))),
    "batches out of order": moves.swapped(moves.gradient(("B",)), moves.gradient(("C",))),
    "a sample": moves.SAMPLED,
    "a save": moves.saved("aside"),
}
OF_RUNS = ("another model", "a sample", "a save")


def pairs(dialect: str, number: int = 1) -> Iterator[Document]:
    """A scenario for each pair, in an order that `number` decides: one disturbance before the first step, the other after it."""
    names = [name for name in DISTURBANCES if dialect != SIGNAL or name in OF_RUNS]
    found = list(itertools.permutations(names, 2))
    random.Random(number).shuffle(found)
    for first, second in found:
        yield program.document(f"{first}, then {second}", dialect, _program(first, second))


def _program(first: str, second: str) -> list[Move]:
    disturbed, later = DISTURBANCES[first], DISTURBANCES[second]
    return [
        moves.trained(("A",)),
        disturbed,
        moves.stepped(),
        moves.trained(("A", "C")),
        later,
        moves.stepped(),
    ]
