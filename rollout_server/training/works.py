"""What a request does when its turn has come.

A work is built when the request arrives, with everything checked that can be. `prepare` looks up what it needs, and gives the pure function that
is then run on a thread. What it changes in the database happens in one transaction with its result.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from rollout_conformance.rollout_server.training import (
    adapter,
    base_model,
    errors,
    model_state,
    sampling,
    training_step,
)
from rollout_conformance.rollout_server.training.adam import AdamOptions
from rollout_conformance.rollout_server.training.base_model import BaseModel
from rollout_conformance.rollout_server.training.batch import Batch
from rollout_conformance.rollout_server.training.checkpoints import About, Checkpoints, Path
from rollout_conformance.rollout_server.training.database import Database
from rollout_conformance.rollout_server.training.model_state import ModelState
from rollout_conformance.rollout_server.training.model_store import END_MODEL
from rollout_conformance.rollout_server.training.sampling import Decode, Sampling
from rollout_conformance.rollout_server.training.training_step import Outcome


@dataclass(frozen=True, slots=True)
class Context:
    """What the works of one server share, and whose request it is."""

    database: Database
    checkpoints: Checkpoints
    decode: Decode
    user: str
    model: str
    base: BaseModel


@dataclass(frozen=True, slots=True)
class Done:
    """`commit` is called in the transaction that stores the result."""

    state: ModelState | None
    result: dict[str, Any]
    commit: Callable[[], None] = field(default=lambda: None)


Run = Callable[[ModelState | None], Done]


class Work(Protocol):
    def prepare(self, context: Context) -> Run: ...


def trained(state: ModelState | None) -> ModelState:
    assert state is not None
    return state


def done(outcome: Outcome) -> Done:
    return Done(outcome.state, outcome.result)


@dataclass(frozen=True, slots=True)
class Forward:
    batch: Batch

    def prepare(self, context: Context) -> Run:
        return lambda state: done(training_step.forward(context.base, trained(state), self.batch))


@dataclass(frozen=True, slots=True)
class ForwardBackward:
    batch: Batch

    def prepare(self, context: Context) -> Run:
        return lambda state: done(training_step.forward_backward(context.base, trained(state), self.batch))


@dataclass(frozen=True, slots=True)
class OptimStep:
    options: AdamOptions

    def prepare(self, context: Context) -> Run:
        return lambda state: done(training_step.optimize(trained(state), self.options))


BRIEF_TOKENS, BRIEF_RANK = 64, 32  # about a millisecond


def is_brief(work: Work, state: ModelState | None) -> bool:
    """Whether it is computed in less time than a thread takes to begin, so that no other request waits for it."""
    if isinstance(work, Forward | ForwardBackward):
        return training_step.count(work.batch) <= BRIEF_TOKENS
    return isinstance(work, OptimStep) and state is not None and state.shape.rank <= BRIEF_RANK


@dataclass(frozen=True, slots=True)
class Save:
    """`sampler_id`: the checkpoint has no name; it is what the sampler of this id samples from."""

    path: Path
    ttl_s: int | None = None

    def prepare(self, context: Context) -> Run:
        def run(state: ModelState | None) -> Done:
            own = trained(state)
            file = context.checkpoints.files.write(own)
            about = About(context.base.name, own.shape.rank, own.step)

            def commit() -> None:
                context.checkpoints.add(context.user, self.path, file, about, self.ttl_s)

            kind = "save_weights" if self.path.kind == "weights" else "save_weights_for_sampler"
            return Done(own, {"path": str(self.path), "type": kind}, commit)

        return run


@dataclass(frozen=True, slots=True)
class SaveForSampler:
    """A snapshot without a name, for one sampling session."""

    sampler_id: str
    session: str

    def prepare(self, context: Context) -> Run:
        def run(state: ModelState | None) -> Done:
            file, _ = context.checkpoints.files.write(trained(state))

            def commit() -> None:
                add_sampler(context, self.sampler_id, self.session, None, file)

            result = {"path": None, "sampling_session_id": self.sampler_id, "type": "save_weights_for_sampler"}
            return Done(state, result, commit)

        return run


def add_sampler(context: Context, sampler_id: str, session: str, path: str | None, file: str | None) -> None:
    """Inside a transaction. Raises `UserError` 409 for a number that is taken."""
    if context.database.one("SELECT id FROM samplers WHERE id = ?", sampler_id) is not None:
        raise errors.conflict("The session has a sampling session with this number")
    values: dict[str, Any] = {"id": sampler_id, "user": context.user, "session": session, "path": path, "file": file}
    context.database.insert("samplers", **values, base_model=context.base.name, created_at=time.time())


@dataclass(frozen=True, slots=True)
class Load:
    path: Path
    optimizer: bool

    def prepare(self, context: Context) -> Run:
        row = context.checkpoints.readable(context.user, self.path)
        saved = context.checkpoints.read(row)

        def run(state: ModelState | None) -> Done:
            own = trained(state)
            if saved.shape != own.shape:
                raise errors.invalid(f"The checkpoint has rank {saved.shape.rank}, the model {own.shape.rank}")
            return Done(own.load(saved, optimizer=self.optimizer), {"path": str(self.path), "type": "load_weights"})

        return run


@dataclass(frozen=True, slots=True)
class Sample:
    """`file` None: the base model."""

    prompt: tuple[int, ...]
    count: int
    options: Sampling
    file: str | None
    prompt_logprobs: bool = False
    top_prompt: int = 0

    def prepare(self, context: Context) -> Run:
        saved = context.checkpoints.files.read(self.file) if self.file else None
        return lambda _: Done(None, self.sampled(context, saved))

    def sampled(self, context: Context, saved: ModelState | None) -> dict[str, Any]:
        shape = saved.shape if saved else adapter.Shape(1)
        unembedding = adapter.unembedding(context.base, shape, saved.parameters if saved else None)
        sequences = [
            sampling.sample(context.base, unembedding, self.prompt, self.options, nth, context.decode)
            for nth in range(self.count)
        ]
        listed = [{"stop_reason": s.stop_reason, "tokens": s.tokens, "logprobs": s.logprobs} for s in sequences]
        return {"type": "sample", "sequences": listed, **self.of_prompt(context.base, unembedding)}

    def of_prompt(self, base: BaseModel, unembedding: base_model.Floats) -> dict[str, Any]:
        result: dict[str, Any] = {}
        if not self.prompt_logprobs and not self.top_prompt:
            return result
        rows = sampling.prompt_logprobs(base, unembedding, self.prompt)
        if self.prompt_logprobs:
            own = rows[range(len(rows)), list(self.prompt[1:])].astype("float32")
            result["prompt_logprobs"] = [None, *own.tolist()]
        if self.top_prompt:
            result["topk_prompt_logprobs"] = [None, *(sampling.top(row, self.top_prompt) for row in rows)]
        return result


@dataclass(frozen=True, slots=True)
class Unload:
    def prepare(self, context: Context) -> Run:
        def commit() -> None:
            context.database.run(END_MODEL, "unloaded", context.model)

        return lambda _: Done(None, {"model_id": context.model, "type": "unload_model"}, commit)


def new_state(shape: adapter.Shape, seed: int | None) -> ModelState:
    return model_state.create(shape, seed)
