"""The moves of a walk, by the event of the table that each is."""

from collections.abc import Mapping, Sequence
from typing import Any

from rollout_conformance.steps.profiles.training.exploration.program import OTHER, Move

BATCHES: Sequence[tuple[str, ...]] = (("A",), ("B",), ("C",), ("A", "B"))
WEIGHTS: Sequence[tuple[float, ...]] = ((1.0,), (0.5, 2.0))


def gradient(batch: Sequence[str], weights: Sequence[float] = (1.0,), **more: Any) -> dict[str, Any]:
    return {"forward_backward": {"batch": list(batch), "weights": list(weights), **more}}


def step(scaled: bool = True) -> dict[str, Any]:
    return {"optim_step": {"scaled": scaled}}


def trained(batch: Sequence[str], weights: Sequence[float] = (1.0,)) -> Move:
    call = gradient(batch, weights)
    return Move("a batch", (call,), (call,))


def stepped(scaled: bool = True) -> Move:
    return Move("a step", (step(scaled),), (step(scaled),))


def twice(call: dict[str, Any]) -> Move:
    """A call that is posted twice, as after a lost response."""
    return Move("a call posted twice", (call, {"resend": "it"}), (call,))


def lost(call: dict[str, Any]) -> Move:
    """A call whose connection is given up at once, and that is posted again."""
    ((verb, members),) = call.items()
    return Move("a lost connection", ({verb: {**members, "lost": True}},), (call,))


def swapped(first: dict[str, Any], second: dict[str, Any]) -> Move:
    """Two calls whose numbers arrive in another order."""
    ((verb, members),), ((later, others),) = first.items(), second.items()
    early = {later: {**others, "seq": 1, "wait": False}}
    late = {verb: {**members, "seq": -1, "wait": False}}
    return Move("two calls out of order", (early, late, {"results": {}}), (first, second))


IDEMPOTENT: Mapping[str, Move] = {
    "an evaluation": Move("an evaluation", ({"forward": {"batch": ["C"]}},)),
    "a batch without weight": Move("a batch without weight", (gradient(("B",), (0,)),)),
    "a rejected call": Move("a rejected call", (gradient(("A",), (1,), defect="a token beyond the vocabulary"),)),
}
"""Moves of `tinker-json` that must not change the model."""

COMPANY = Move(
    "another model",
    ({"forward_backward": {"batch": ["C"], "model": OTHER}}, {"optim_step": {"model": OTHER}}),
)


def saved(name: str) -> Move:
    return Move("a save", ({"save": {"path": name}},), saves=name, needs=("checkpoints",))


def loaded(name: str) -> Move:
    """The checkpoint of an earlier save, with its optimizer."""
    call = {"load": {"path": name, "optimizer": True}}
    return Move("a load", (call,), loads=name, needs=("later_load", "loading"))


SAMPLED = Move("a sample", ({"sample": {"max_tokens": 2}},), needs=("sampling",))
