"""The base of every verb that calls one model: its sequence number, its key, and whether the result is waited for."""

from dataclasses import dataclass, field, replace

from rollout_conformance.steps.http.requests import NamedRequest
from rollout_conformance.steps.http.responses import responses_of
from rollout_conformance.steps.profiles.training.calls import Meaning, begun, given_up, made
from rollout_conformance.steps.profiles.training.context import TrainingSession
from rollout_conformance.steps.profiles.training.models import model_of
from rollout_conformance.steps.profiles.training.wire import Call


@dataclass(frozen=True, slots=True)
class OfModel(NamedRequest):
    """A call about one model of the case. A subclass says what is sent."""

    model: str = field(default="a", kw_only=True)
    "The model of the case that is meant."
    seq: int | None = field(default=None, kw_only=True)
    "The sequence number; default: the next one of the model."
    key: str = field(default="", kw_only=True)
    "The key that it is sent with; default: that of the owner of the model."
    asynchronous: bool = field(default=False, kw_only=True)
    "Whether the path `*_async` is called, in the dialect `signal`."
    wait: bool = field(default=True, kw_only=True)
    "Whether its result is waited for; else `results` waits for it."
    lost: bool = field(default=False, kw_only=True)
    "Whether the connection is given up as soon as the request was sent, and the call is then sent again."

    async def perform(self, session: TrainingSession) -> None:
        name = responses_of(session).reserve(self.name)
        model = model_of(session, self.model)
        call, meaning = self.call(session, model.id, model.take(self.seq))
        if self.asynchronous:
            call = replace(call, path=f"{call.path}_async")
        if self.lost:
            await given_up(session, call, self.key or model.key)
        await (made if self.wait else begun)(session, name, call, meaning, self.key or model.key)

    def call(self, session: TrainingSession, model: str, seq: int) -> tuple[Call, Meaning]:
        raise NotImplementedError
