"""The target card of an inference worker."""

from typing import Literal

from pydantic import Field

from rollout_conformance.steps.engine.target_card import SUITE_IS_THE_ONLY_CLIENT, Card


class WorkerCard(Card):
    """What a worker declares beside what every target may."""

    settle_s: float = SUITE_IS_THE_ONLY_CLIENT
    model: str | None = Field(None, description="the model that the worker has loaded, as `started` names it")
    slots: int | None = Field(None, ge=1, description="how many jobs run at the same time; no more cases are in flight")
    framing: Literal["cumulative", "delta"] | None = Field(
        None,
        description="whether an event has all that was generated so far, or what is new; default: as the dialect has it, "
        "and for sglang as each stream shows",
    )
    health: str | None = Field(None, description="the path of the health check; default: /health")
    logprob_tolerance: float = Field(
        0.05, ge=0, description="by how much the log probability of a token may differ between two equal jobs"
    )

    def path(self, usual: str) -> str:
        return self.health or usual if usual == "/health" else usual
