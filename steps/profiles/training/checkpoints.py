"""Verbs that save and load: checkpoints of a model, and snapshots to sample from."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from rollout_conformance.steps.engine.lenient_json import text
from rollout_conformance.steps.engine.verbs import phrase, verb
from rollout_conformance.steps.http.references import ResponseName
from rollout_conformance.steps.http.responses import responses_of
from rollout_conformance.steps.profiles.training.calls import Meaning, made, response_named
from rollout_conformance.steps.profiles.training.context import (
    Model,
    Sampler,
    Stopped,
    TrainingSession,
    book_of,
)
from rollout_conformance.steps.profiles.training.models import client_of, model_of
from rollout_conformance.steps.profiles.training.of_model import OfModel
from rollout_conformance.steps.profiles.training.responses import TrainingResponse
from rollout_conformance.steps.profiles.training.wire import Call, Members

PATHS = ("path", "checkpoint_path", "artifact_uri")


def path_in(response: TrainingResponse) -> str:
    """The path that a save returned."""
    return next((found for name in PATHS if (found := text(response.result.get(name)))), "")


def path_of(session: TrainingSession, name: str) -> str:
    """The path that was saved under this name of the case. Raises `Stopped` where none was."""
    found = book_of(session).paths.get(name)
    if not found:
        raise Stopped(f"the path of the checkpoint {name}")
    return found


@verb("save", short="path", example=("one", "{path: one, model: b, overwrite: true}", "{path: one, mode: merged}"))
@phrase("the client saves the model {model:word} as {path:word}")
@phrase("the client saves the model {model:word} as {path:word} in the mode {mode:word}")
@dataclass(frozen=True, slots=True)
class Save(OfModel):
    """Save a checkpoint of a model."""

    path: str = "one"
    "The name of the checkpoint in this case; a nonce of the run is put before it."
    overwrite: bool = field(default=False, kw_only=True)
    "Whether the request asks for an earlier checkpoint of that name to be replaced."
    mode: str = field(default="", kw_only=True)
    "adapter or merged, in the dialect `signal`."
    options: Mapping[str, object] = field(default_factory=dict, kw_only=True)
    "More members of the request."

    async def perform(self, session: TrainingSession) -> None:
        await OfModel.perform(self, session)
        saved = responses_of(session).named(self.name or "it")
        if saved and saved[-1].outcome == "done" and path_in(saved[-1]):
            book_of(session).paths[self.path] = path_in(saved[-1])

    def call(self, session: TrainingSession, model: str, seq: int) -> tuple[Call, Meaning]:
        call = session.context.wire.save(model, seq, f"{session.context.run}-{self.path}", self.overwrite)
        call.members.update({"mode": self.mode} if self.mode else {})
        call.members.update(self.options)
        return call, Meaning("save", self.model)


@verb("load", short="path", example=("one", "{path: one, model: b, optimizer: true}"))
@phrase("the client loads {path:word} into the model {model:word}")
@phrase("the client loads {path:word} with its optimizer into the model {model:word}", optimizer=True)
@dataclass(frozen=True, slots=True)
class Load(OfModel):
    """Load a checkpoint into a model, in the dialects `tinker-json` and `tinker`."""

    path: str = "one"
    "The name of the checkpoint in this case, or a whole path that begins with `tinker://`."
    optimizer: bool = field(default=False, kw_only=True)
    "Whether the state of the optimizer is loaded too."
    path_of: ResponseName = field(default="", kw_only=True)
    "The save whose path is loaded, where that one was not waited for."

    def call(self, session: TrainingSession, model: str, seq: int) -> tuple[Call, Meaning]:
        path = self.path if "://" in self.path else self._saved(session)
        body: Members = {"model_id": model, "seq_id": seq, "path": path, "optimizer": self.optimizer}
        return Call("/api/v1/load_weights", {**body, "type": "load_weights"}, future=True), Meaning("load", self.model)

    def _saved(self, session: TrainingSession) -> str:
        if not self.path_of:
            return path_of(session, self.path)
        saved = response_named(session, self.path_of)
        if saved is None or not path_in(saved):
            raise Stopped(f"the path of the save {self.path_of}")
        return path_in(saved)


@verb("save_for_sampler", short="sampler", example=("s", "{sampler: s, model: b, named: true}"))
@phrase("the client takes the snapshot {sampler:word} of the model {model:word}")
@dataclass(frozen=True, slots=True)
class SaveForSampler(OfModel):
    """Take a snapshot of a model to sample from, in the dialects `tinker-json` and `tinker`."""

    sampler: str = "s"
    "The name of the snapshot in this case."
    named: bool = field(default=False, kw_only=True)
    "Whether it is saved under a name; else it belongs to a sampling session."
    options: Mapping[str, object] = field(default_factory=dict, kw_only=True)
    "More members of the request."

    async def perform(self, session: TrainingSession) -> None:
        await OfModel.perform(self, session)
        saved = responses_of(session).named(self.name or "it")
        if saved and saved[-1].outcome == "done":
            note_sampler(session, self.sampler, saved[-1])

    def call(self, session: TrainingSession, model: str, seq: int) -> tuple[Call, Meaning]:
        owner = book_of(session).clients[model_of(session, self.model).key]
        path = f"{session.context.run}-{self.sampler}" if self.named else ""
        call = for_sampler(model, seq, path, owner.next_sampler)
        call.members.update(self.options)
        return call, Meaning("save_for_sampler", self.model)


def for_sampler(model: str, seq: int, path: str, sampler: int) -> Call:
    body: Members = {"model_id": model, "seq_id": seq, "type": "save_weights_for_sampler"}
    body.update({"path": path} if path else {"sampling_session_seq_id": sampler})
    return Call("/api/v1/save_weights_for_sampler", body, future=True)


def note_sampler(session: TrainingSession, name: str, saved: TrainingResponse) -> None:
    """What to sample from, as the response names it."""
    id, path = text(saved.result.get("sampling_session_id")), path_in(saved)
    book = book_of(session)
    for client in book.clients.values():
        client.next_sampler += 1
    if id:
        book.samplers[name] = Sampler({"sampling_session_id": id}, counted=True)
    elif path:
        book.samplers[name] = Sampler({"model_path": path})
        book.paths[name] = path


async def sampler_of(session: TrainingSession, name: str, model: Model, model_name: str) -> Sampler | None:
    """The snapshot of that name; without a name a new one of the model. None where it cannot be made."""
    book = book_of(session)
    if name:
        if name not in book.samplers:
            raise Stopped(f"the snapshot {name}")
        return book.samplers[name]
    client = await client_of(session, model.key)
    call = for_sampler(model.id, model.take(None), "", client.next_sampler)
    implicit = f"snapshot {client.next_sampler} of {model_name}"
    saved = await made(session, implicit, call, Meaning("save_for_sampler", model_name, internal=True), model.key)
    if saved.outcome == "done":
        note_sampler(session, implicit, saved)
    return book.samplers.get(implicit)
