"""The target card of a router. Its model is that of the backends that the suite plays."""

from pydantic import Field

from rollout_conformance.steps.profiles.chat.card import ServerCard


class RouterCard(ServerCard):
    """What a router declares beside what every target may."""

    model: str | None = Field(
        None, description="the model that the router knows its backends to serve; default: rc-model"
    )
    backend_keys: dict[str, str] = Field(
        default_factory=dict,
        description="the keys with which the router authenticates to its backends, by the names a, b, c and d of the backends",
    )

    def declares(self, need: str) -> bool:
        return super().declares(need) or (need == "backend_keys" and len(self.backend_keys) > 1)

    def secrets(self) -> list[str]:
        return [*super().secrets(), *filter(None, self.backend_keys.values())]
