"""The target card of a router. Its model is that of the backends that the suite plays."""

from pydantic import Field

from rollout_conformance.steps.profiles.chat.card import ServerCard


class RouterCard(ServerCard):
    """What a router declares beside what every target may."""

    model: str | None = Field(
        None, description="the model that the router knows its backends to serve; default: rc-model"
    )
