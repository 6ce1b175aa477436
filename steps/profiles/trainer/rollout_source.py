"""How rollouts begin at a trainer (`rollouts:` on its card), and which cases that leaves out. Pure.

control  the suite sends `POST /rollouts`, and the trainer sends a start request to the rollout server that the suite plays
open     the suite makes up rollout ids; the first generation request of a new one begins the rollout
started  the trainer sends start requests of its own accord, to the address that the suite listens on (`--listen`)
"""

from typing import Literal

from rollout_conformance.steps.engine.target_card import Card
from rollout_conformance.steps.profiles.trainer.card import TrainerCard, trainer_card

Source = Literal["control", "open", "started"]
NO_CONTROL = "`rollouts: {source}` on the card: there is no control request"
OPEN = {
    "tool_calls": "`rollouts: open` on the card: a rollout without a start request has no tools",
    "timeout": NO_CONTROL.format(source="open"),
    "key": "`rollouts: open` on the card: a rollout without a start request has no key of its own",
}
STARTED = {"timeout": NO_CONTROL.format(source="started")}
WITHOUT: dict[Source, dict[str, str]] = {"control": {}, "open": OPEN, "started": STARTED}


def source_of(card: Card) -> Source:
    return trainer_card(card).rollouts


def unmet_need(card: TrainerCard, need: str) -> str | None:
    """Why what a case needs cannot be there in this way, None where it may be."""
    return None if need == "tool_calls" and card.requests_have_tools else WITHOUT[card.rollouts].get(need)
