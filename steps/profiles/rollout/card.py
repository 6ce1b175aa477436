"""The target card of a rollout server: its limits in seconds and counts, and the tools that may be called."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from rollout_conformance.steps.engine.target_card import Card, Limits, Variant


class Tool(BaseModel):
    """One call that the suite may ask for, and its outcome: a `result` (compared by value) or an `error`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    arguments: dict[str, Any] = Field(default_factory=dict)
    result: Any = None
    error: bool = False


class RolloutLimits(Limits):
    """The limits that a rollout server has of its own."""

    generation_timeout_s: float | None = Field(
        None, gt=0, allow_inf_nan=False, description="gives up on one generation call after this"
    )
    rollout_timeout_s: float | None = Field(None, gt=0, allow_inf_nan=False, description="ends a rollout after this")
    tool_timeout_s: float | None = Field(None, gt=0, allow_inf_nan=False, description="gives up on one tool after this")
    lease_timeout_s: float | None = Field(
        None, gt=0, allow_inf_nan=False, description="cancels a rollout whose result was not requested for this long"
    )
    max_body_bytes: int | None = Field(None, gt=0, description="larger requests and responses are rejected")
    max_concurrent: int | None = Field(
        None, gt=0, description="rollouts that run at once; more are queued or answered 429"
    )

    def shortest(self) -> float | None:
        limits = (self.generation_timeout_s, self.rollout_timeout_s, self.tool_timeout_s)
        return min((limit for limit in limits if limit is not None), default=None)

    def longest(self) -> float:
        return max(self.generation_timeout_s or 0.0, self.rollout_timeout_s or 0.0, self.tool_timeout_s or 0.0)


class RolloutVariant(RolloutLimits, Variant):
    """The same server with another environment and other limits."""


class RolloutCard(RolloutLimits, Card):
    """What a rollout server declares beside what every target may."""

    tokenizer_name: str | None = Field(None, description="the name by which the target knows that tokenizer")
    tools: list[Tool] | None = Field(None, description="calls to ask for; default: the calculator, where it is shown")
    hanging_tool: Tool | None = Field(None, description="a call that never returns of itself")
    variants: Mapping[str, RolloutVariant] = Field(
        default_factory=dict, description="the same server with another configuration, by the names that cases use"
    )

    def limits(self, variant: str) -> RolloutLimits:
        return self.variants[variant] if variant else self
