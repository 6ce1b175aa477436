"""Defects of what operators see: numbers that stand still, say the wrong thing, or say too much."""

from typing import Any

from rollout_conformance.rollout_server.mutants.framework import around, put
from rollout_conformance.rollout_server.mutants.router.planting import mutant
from rollout_conformance.rollout_server.router.metrics import Metrics
from rollout_conformance.rollout_server.router.response_headers import Framed

COUNTING = ("http", "attempt", "ended")


def _still() -> None:
    for name in COUNTING:
        put(Metrics, name, lambda *_: None)()


def _served(original: Any, self: Metrics, endpoint: str, status: int) -> None:
    original(self, endpoint, 200)


MUTANTS = (
    mutant("numbers_stand_still", "nothing is counted", _still, "040"),
    mutant("refusals_served", "what is refused counts as served", around(Metrics, "http", _served), "040"),
    mutant(
        "numbers_name_paths",
        "a label for whatever is asked",
        put(Framed, "label", lambda _, scope: scope["path"]),
        "041",
    ),
)
