"""The verb that opens a sampling session of saved weights, as a client does that samples from a checkpoint of an earlier run."""

from dataclasses import dataclass

from rollout_conformance.steps.engine.lenient_json import text
from rollout_conformance.steps.engine.verbs import verb
from rollout_conformance.steps.http.references import ResponseName
from rollout_conformance.steps.http.requests import NamedRequest
from rollout_conformance.steps.http.responses import responses_of
from rollout_conformance.steps.profiles.training.calls import Meaning, made, response_named
from rollout_conformance.steps.profiles.training.checkpoints import path_in
from rollout_conformance.steps.profiles.training.context import Sampler, Stopped, TrainingSession, book_of
from rollout_conformance.steps.profiles.training.models import client_of, model_of
from rollout_conformance.steps.profiles.training.wire import Call, Members


@verb("sampling_session", short="sampler", example=("s", "{sampler: s, of: saved}"))
@dataclass(frozen=True, slots=True)
class SamplingSession(NamedRequest):
    """Open a sampling session, in the dialects `tinker-json` and `tinker`; samples are drawn from it by its name."""

    sampler: str = "s"
    "The name of the sampling session in this case."
    of: ResponseName = ""
    "The save whose path it samples from; without one it samples from the base model."
    model: str = "a"
    "A model of the client that opens it."

    async def perform(self, session: TrainingSession) -> None:
        name = responses_of(session).reserve(self.name)
        key = model_of(session, self.model).key
        client = await client_of(session, key)
        body: Members = {"session_id": client.session_id, "sampling_session_seq_id": client.next_sampler}
        client.next_sampler += 1
        call = Call(
            "/api/v1/create_sampling_session", {**body, **self._weights(session), "type": "create_sampling_session"}
        )
        opened = await made(session, name, call, Meaning("create_sampling_session", self.model), key)
        if id := text(opened.result.get("sampling_session_id")):
            book_of(session).samplers[self.sampler] = Sampler({"sampling_session_id": id}, counted=True)

    def _weights(self, session: TrainingSession) -> Members:
        if not self.of:
            return {"base_model": session.context.model}
        saved = response_named(session, self.of)
        if saved is None or not path_in(saved):
            raise Stopped(f"the path of the save {self.of}")
        return {"model_path": path_in(saved)}
