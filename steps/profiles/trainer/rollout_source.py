"""How rollouts begin at a trainer (`rollouts:` on its card), and which cases that leaves out. Pure.

control  the suite sends `POST /rollouts`, and the trainer sends a start request to the rollout server that the suite plays
open     the suite makes up rollout ids; the first generation request of a new one begins the rollout
started  the trainer sends start requests of its own accord, to the address that the suite listens on (`--listen`)
"""

from collections.abc import Callable, Iterator
from typing import Literal

from rollout_conformance.steps.engine.cases import Case
from rollout_conformance.steps.engine.target_card import Card

Source = Literal["control", "open", "started"]
NEEDS = {
    "record": "the card does not declare the capability `record`: GET /rollouts/{rollout_id}",
    "tool_calls": "the card does not declare the capability `tool_calls`: a policy that calls a calculator",
    "timeout": "the card does not declare the capability `timeout`: `timeout_s` in the control request",
    "key": "the card does not declare the capability `key`: a key for each rollout",
}
NO_CONTROL = "`rollouts: {source}` on the card: there is no control request"
OPEN = {
    "tool_calls": "`rollouts: open` on the card: a rollout without a start request has no tools",
    "timeout": NO_CONTROL.format(source="open"),
    "key": "`rollouts: open` on the card: a rollout without a start request has no key of its own",
}
STARTED = {"timeout": NO_CONTROL.format(source="started")}
WITHOUT: dict[Source, dict[str, str]] = {"control": {}, "open": OPEN, "started": STARTED}
Reasons = Callable[[Case], Iterator[str]]


def source_of(card: Card) -> Source:
    return card.rollouts


def unmet_need(source: Source, need: str, card: Card) -> str | None:
    """Why what a case needs is not there, None where it is."""
    if need in WITHOUT[source]:
        return WITHOUT[source][need]
    if need in card.capabilities:
        return None
    return NEEDS.get(need, f"{need} is not declared by the card")
