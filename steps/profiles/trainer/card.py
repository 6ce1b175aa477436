"""The target card of a trainer: how its rollouts begin, and what its generation requests and responses look like."""

from typing import Literal

from pydantic import Field

from rollout_conformance.steps.engine.target_card import Card, card_as
from rollout_conformance.steps.profiles.trainer.token_members import AT

BODY = "body"
PLACES = r"^(body|key|url|header:[!#$%&'*+.^_`|~0-9A-Za-z-]+|/\S*\{rollout_id\}\S*)$"


class TrainerCard(Card):
    """What a trainer declares beside what every target may."""

    rollouts: Literal["control", "open", "started"] = Field(
        "control",
        description="how rollouts begin. control: POST /rollouts; open: with the first generation request of a new rollout_id; "
        "started: the trainer sends start requests to --listen",
    )
    rollout_id_in: str = Field(
        BODY,
        pattern=PLACES,
        description="what names the rollout of a generation request. body: its member rollout_id; key: the API key, one for each rollout; "
        "url: the server_url of the start request, one for each rollout; a path with {rollout_id}: the path in front of /v1; "
        "header:NAME: that header",
    )
    token_ids_at: str | None = Field(
        None,
        pattern=AT,
        description="where a generation has its token ids, such as choices[].message.token_ids; default: token_ids, or the one list of ids "
        "in the response",
    )
    response_mask: bool = Field(
        True,
        description="whether generation requests of the dialect sync have a response_mask; false: it is neither sent nor judged",
    )
    token_ids: bool = Field(
        True,
        description="whether the generations of the dialect sync have token ids; false: the trainer keeps them to itself, and they are not judged",
    )
    tools_in: Literal["prompt", "request"] | None = Field(
        None,
        description="how tools come into the prompts. prompt: the trainer has them from the rollout server; request: generation requests have "
        "`tools`, as with any OpenAI chat API. Default: request for a trainer that starts rollouts by itself and does not name them in the "
        "body, else prompt",
    )
    model: str | None = Field(
        None, description="the model of generation requests; default: that of the start request, else `default`"
    )

    @property
    def requests_have_tools(self) -> bool:
        """A proxy in front of an engine knows no tools but those of each request; whoever names the rollout in the body is none."""
        if self.tools_in is None:
            return self.rollouts == "started" and self.rollout_id_in != BODY
        return self.tools_in == "request"


def trainer_card(card: Card) -> TrainerCard:
    return card_as(TrainerCard, card)
