"""The target cards of a server of the chat API: which model is requested, and where things are that servers put in different places."""

from typing import Annotated

from pydantic import Field, StringConstraints

from rollout_conformance.steps.engine.target_card import SUITE_IS_THE_ONLY_CLIENT, Card

Path = Annotated[str, StringConstraints(pattern=r"^/\S*$")]


class ServerCard(Card):
    """What an inference server and a router have in common."""

    settle_s: float = SUITE_IS_THE_ONLY_CLIENT
    model: str | None = Field(None, description="the model to request; default: the first that the target lists")
    health: Path | None = Field(None, description="the path of the health check, for callers without a key")
    models: Path | None = Field(None, description="the path of the list of models; default: /v1/models")
    metrics: Path | None = Field(None, description="the path of the metrics; default: /metrics")

    def path(self, usual: str) -> str:
        """The path of this target for what most have at a usual path."""
        named = {"/health": self.health, "/v1/models": self.models, "/metrics": self.metrics}
        return named.get(usual) or usual


class ChatCard(ServerCard):
    """What an inference server declares beside what every target may."""

    token_ids_at: str | None = Field(
        None,
        pattern=r"^[\w-]+(\[\])?(\.[\w-]+(\[\])?)*$",
        description="where a response has its token ids, if not at choices[].token_ids: choices[].provider_specific_fields.token_ids",
    )
    context_tokens: int | None = Field(
        None, ge=1, description="how many tokens the model takes, where the list of models has no max_model_len"
    )
