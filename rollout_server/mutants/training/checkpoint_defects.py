"""Defects of checkpoints and samplers of the dialect `tinker-json`."""

from dataclasses import replace
from typing import Any

import numpy as np

from rollout_conformance.rollout_server.mutants.framework import Mutant, around, every, put
from rollout_conformance.rollout_server.mutants.training.arithmetic import TINKER
from rollout_conformance.rollout_server.training import works
from rollout_conformance.rollout_server.training.checkpoint_files import CheckpointFiles
from rollout_conformance.rollout_server.training.checkpoints import Checkpoints
from rollout_conformance.rollout_server.training.model_state import ModelState
from rollout_conformance.rollout_server.training.service import Service
from rollout_conformance.rollout_server.training.works import Done


def _rounded(original: Any, self: CheckpointFiles, state: ModelState, merged: Any = None) -> tuple[str, int]:
    """As bfloat16 does, which has eight bits of mantissa."""
    whole = state.parameters.astype(np.float32).view(np.uint32) & np.uint32(0xFFFF0000)
    made: tuple[str, int] = original(self, replace(state, parameters=whole.view(np.float32).astype(np.float64)), merged)
    return made


def _no_load(original: Any, self: ModelState, saved: ModelState, *, optimizer: bool) -> ModelState:
    return self


def _what_fits(original: Any, self: works.Load, context: Any) -> Any:
    """As a load does that is not strict: a tensor of another shape is skipped in silence."""
    run = original(self, context)
    saved = context.checkpoints.read(context.checkpoints.find(context.user, self.path))

    def load(state: ModelState | None) -> Done:
        if state is None or state.shape == saved.shape:
            done: Done = run(state)
            return done
        return Done(state, {"path": str(self.path), "type": "load_weights"})

    return load


def _fresh_moments(original: Any, self: ModelState, saved: ModelState, *, optimizer: bool) -> ModelState:
    loaded: ModelState = original(self, saved, optimizer=False)
    return loaded


def _all_moments(original: Any, self: ModelState, saved: ModelState, *, optimizer: bool) -> ModelState:
    loaded: ModelState = original(self, saved, optimizer=True)
    return loaded


def _own_moments(original: Any, self: ModelState, saved: ModelState, *, optimizer: bool) -> ModelState:
    loaded: ModelState = original(self, saved, optimizer=optimizer)
    return loaded if optimizer else replace(loaded, moments=self.moments)


def _count_lost(original: Any, self: ModelState, saved: ModelState, *, optimizer: bool) -> ModelState:
    loaded: ModelState = original(self, saved, optimizer=optimizer)
    return replace(loaded, moments=replace(loaded.moments, t=0)) if loaded.moments else loaded


def _first_moment_lost(original: Any, self: ModelState, saved: ModelState, *, optimizer: bool) -> ModelState:
    loaded: ModelState = original(self, saved, optimizer=optimizer)
    return replace(loaded, moments=replace(loaded.moments, m=loaded.moments.m * 0)) if loaded.moments else loaded


def _always_overwrites(original: Any, self: Checkpoints, path: Any, request_id: str, *, overwrite: bool) -> None:
    original(self, path, request_id, overwrite=True)


def _keeps_the_old(original: Any, self: Checkpoints, user: str, path: Any, *arguments: Any) -> None:
    """A second save under a name is acknowledged and dropped."""
    if not self.exists(user, path):
        original(self, user, path, *arguments)


def _follow(table: str) -> Any:
    """What was saved of a model follows its training."""

    def commit(original: Any, self: Service, request_id: str, job: Any, model: str | None, done: Done) -> None:
        original(self, request_id, job, model, done)
        if model is None or done.state is None:
            return
        if table == "checkpoints":
            rows = self.database.all("SELECT file FROM checkpoints WHERE model = ?", model)
        else:
            rows = self.database.all(
                "SELECT file FROM samplers WHERE session = (SELECT session FROM models WHERE id = ?) AND path IS NULL",
                model,
            )
        for row in rows:
            self.checkpoints.files.read(row["file"])
            self.checkpoints.files._cache[row["file"]] = done.state.saved()

    return commit


def _moments_follow(original: Any, self: Service, request_id: str, job: Any, model: str | None, done: Done) -> None:
    """The weights of a checkpoint are a copy, and its moments are those that are still trained with."""
    original(self, request_id, job, model, done)
    if model is None or done.state is None:
        return
    for row in self.database.all("SELECT file FROM checkpoints WHERE model = ?", model):
        saved = self.checkpoints.files.read(row["file"])
        self.checkpoints.files._cache[row["file"]] = replace(saved, moments=done.state.moments)


def _latest_of_the_name(original: Any, self: Checkpoints, user: str, path: Any) -> Any:
    row = original(self, user, path)
    statement = "SELECT * FROM checkpoints WHERE user = ? AND kind = ? AND name = ? ORDER BY created_at DESC"
    return self._database.one(statement, user, path.kind, path.name) or row


def _first_snapshot(original: Any, self: works.SaveForSampler, context: Any) -> Any:
    """As an engine does that keeps the weights of its first sampler."""
    run = original(self, context)
    first = context.database.one("SELECT file FROM samplers WHERE session = ? AND path IS NULL", self.session)

    def stale(state: ModelState | None) -> Done:
        done: Done = run(context.checkpoints.files.read(first["file"]) if first else state)
        return replace(done, state=state)

    return stale


_states: dict[int, ModelState] = {}


def _remembers(original: Any, self: works.Unload, context: Any) -> Any:
    run = original(self, context)

    def unload(state: ModelState | None) -> Done:
        if state is not None:
            _states[state.shape.rank] = state
        done: Done = run(state)
        return done

    return unload


def _inherited(original: Any, shape: Any, seed: int | None) -> ModelState:
    """A slot of the adapter that was unloaded is used again as it was left."""
    fresh: ModelState = original(shape, seed)
    left = _states.pop(shape.rank, None)
    return fresh if left is None else replace(fresh, parameters=left.parameters)


_moments: dict[int, Any] = {}


def _shared_moments(original: Any, self: ModelState, options: Any, gradients: Any) -> ModelState:
    """One optimizer for all adapters of a rank that were trained in one second of each other."""
    known = _moments.get(self.shape.rank)
    own = replace(self, moments=known[1]) if known and known[0] is not self.moments and self.moments is None else self
    stepped: ModelState = original(own, options, gradients)
    _moments[self.shape.rank] = (stepped.moments, stepped.moments)
    return stepped


MUTANTS = (
    Mutant(
        "saved_in_bfloat16", breaks="018", also=("019", "020", "021", "022"), what="checkpoints are rounded to bfloat16",
        patch=around(CheckpointFiles, "write", _rounded), dialects=TINKER,
    ),
    Mutant(
        "load_does_nothing", breaks="018", also=("019", "020"), what="load_weights is acknowledged without effect",
        patch=around(ModelState, "load", _no_load), dialects=TINKER,
    ),
    Mutant(
        "load_of_what_fits", breaks="018", what="a checkpoint of another rank is acknowledged and not loaded",
        patch=around(works.Load, "prepare", _what_fits), dialects=TINKER,
    ),
    Mutant(
        "moments_not_loaded", breaks="019", what="load with optimizer starts with fresh moments",
        patch=around(ModelState, "load", _fresh_moments), dialects=TINKER,
    ),
    Mutant(
        "moments_always_loaded", breaks="019", what="load without optimizer loads the moments all the same",
        patch=around(ModelState, "load", _all_moments), dialects=TINKER,
    ),
    Mutant(
        "own_moments_kept", breaks="044", what="load without optimizer keeps the moments of the model",
        patch=around(ModelState, "load", _own_moments), dialects=TINKER,
    ),
    Mutant(
        "step_count_lost", breaks="019", what="the step count of the moments is lost by a load",
        patch=around(ModelState, "load", _count_lost), dialects=TINKER,
    ),
    Mutant(
        "first_moment_lost", breaks="019", what="the first moment is lost by a load",
        patch=around(ModelState, "load", _first_moment_lost), dialects=TINKER,
    ),
    Mutant(
        "overwrites_unasked", breaks="020", what="a second save under a name replaces the first",
        patch=every(around(Checkpoints, "reserve", _always_overwrites), put(Checkpoints, "is_taken", lambda *_: False)),
        dialects=TINKER,
    ),
    Mutant(
        "overwrite_ignored", breaks="020", what="a save with overwrite is acknowledged and dropped",
        patch=around(Checkpoints, "add", _keeps_the_old), dialects=TINKER,
    ),
    Mutant(
        "checkpoints_follow", breaks="020", also=("018", "019"), what="a checkpoint changes with later steps",
        patch=around(Service, "_commit", _follow("checkpoints")), dialects=TINKER,
    ),
    Mutant(
        "moments_of_checkpoints_follow", breaks="020", also=("019",), what="the moments of a checkpoint change with later steps",
        patch=around(Service, "_commit", _moments_follow), dialects=TINKER,
    ),
    Mutant(
        "checkpoints_by_name", breaks="020", what="a checkpoint is found by its name, whichever model it is of",
        patch=around(Checkpoints, "find", _latest_of_the_name), dialects=TINKER,
    ),
    Mutant(
        "samplers_follow", breaks="021", what="a sampler samples from weights that are still trained",
        patch=around(Service, "_commit", _follow("samplers")), dialects=TINKER,
    ),
    Mutant(
        "samplers_stale", breaks="021", what="all samplers of a session have the weights of the first",
        patch=around(works.SaveForSampler, "prepare", _first_snapshot), dialects=TINKER,
    ),
    Mutant(
        "moments_shared", breaks="029", also=("*",), what="a new model starts with the moments of another",
        patch=around(ModelState, "optimize", _shared_moments), dialects=TINKER,
    ),
    Mutant(
        "slot_not_cleared", breaks="030", what="a new adapter starts with the weights of one that was unloaded",
        patch=every(around(works.Unload, "prepare", _remembers), around(works, "new_state", _inherited)), dialects=TINKER,
    ),
)  # fmt: skip
