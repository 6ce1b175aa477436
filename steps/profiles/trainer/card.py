"""The target card of a trainer: how its rollouts begin."""

from typing import Literal

from pydantic import Field

from rollout_conformance.steps.engine.target_card import Card


class TrainerCard(Card):
    """What a trainer declares beside what every target may."""

    rollouts: Literal["control", "open", "started"] = Field(
        "control",
        description="how rollouts begin. control: POST /rollouts; open: with the first generation request of a new rollout_id; "
        "started: the trainer sends start requests to --listen",
    )
