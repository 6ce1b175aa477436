"""The target card of a training API: what it serves, and how exact its numbers are."""

from typing import Literal

from pydantic import Field

from rollout_conformance.steps.engine.target_card import SUITE_IS_THE_ONLY_CLIENT, Card
from rollout_conformance.steps.profiles.training.accounting import TOLERANCES


class TrainingCard(Card):
    """What a training API declares beside what every target may."""

    model: str | None = Field(None, description="the base model to train; default: the first that the target lists")
    tolerance: Literal["exact", "tight", "loose"] = Field(
        "tight", description="how far equal numbers may be apart: exact 1e-5, tight 1e-3, loose 5e-2"
    )
    settle_s: float = SUITE_IS_THE_ONLY_CLIENT
    learning_rate: float = Field(0.01, gt=0, le=1, description="of the steps that have to show in the logprobs")
    rank: int = Field(8, ge=1, le=512, description="of the LoRA adapters that the cases train")
    ppo_clip: tuple[float, float] | None = Field(
        None, description="the bounds of the ratio that ppo uses by default, where they are documented"
    )
    cispo_clip: tuple[float, float] | None = Field(None, description="the same of cispo")
    dro_beta: float | None = Field(None, description="the beta that dro uses by default, where it is documented")

    end_token: int | None = Field(
        None, ge=0, description="the id of the token that ends a sequence where a request names no stop tokens"
    )

    @property
    def within(self) -> float:
        """The tolerance as a number."""
        return TOLERANCES[self.tolerance]
