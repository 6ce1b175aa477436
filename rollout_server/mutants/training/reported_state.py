"""Defects of the state of public servers that were reported, in the dialect `tinker-json`; contracts/training/reports.yaml names the reports."""

from collections import Counter
from dataclasses import replace
from typing import Any

from rollout_conformance.rollout_server.mutants.framework import Mutant, around, every
from rollout_conformance.rollout_server.mutants.training.arithmetic import TINKER
from rollout_conformance.rollout_server.training import adam, works
from rollout_conformance.rollout_server.training.errors import UserError
from rollout_conformance.rollout_server.training.works import Context, Done, Run

SAVED: set[str] = set()
SNAPSHOTS: Counter[str] = Counter()


def _discarded(original: Any, self: works.Save, context: Context) -> Run:
    if self.path.kind == "weights":
        SAVED.add(context.user)
    return original(self, context)  # type: ignore[no-any-return]


def _loaded_again(original: Any, self: Any, context: Context) -> Run:
    SAVED.discard(context.user)
    return original(self, context)  # type: ignore[no-any-return]


def _not_loaded(original: Any, self: works.Sample, context: Context) -> Run:
    if self.file and context.user in SAVED:
        raise UserError(400, "The weights of the sampler are not loaded")
    return original(self, context)  # type: ignore[no-any-return]


def _with_path(original: Any, self: Any, context: Context) -> Run:
    """The result of a snapshot without a name is that of one with a name."""
    run: Run = original(self, context)
    path = f"tinker://{context.model}/sampler_weights/unnamed"

    def named(state: Any) -> Done:
        return replace(run(state), result={"path": path, "type": "save_weights_for_sampler"})

    return named


def _once(original: Any, self: Any, context: Context) -> Run:
    SNAPSHOTS[context.model] += 1
    if SNAPSHOTS[context.model] > 1:
        raise UserError(500, "An update of the weights is already active")
    return original(self, context)  # type: ignore[no-any-return]


def _no_decay(original: Any, parameters: Any, gradient: Any, moments: Any, options: Any) -> Any:
    return original(parameters, gradient, moments, replace(options, weight_decay=0.0))


MUTANTS = (
    Mutant(
        "save_discards_samplers",
        breaks="021",
        also=("*",),
        what="after a save the weights of samplers are gone",
        patch=every(
            around(works.Save, "prepare", _discarded),
            around(works.SaveForSampler, "prepare", _loaded_again),
            around(works.Sample, "prepare", _not_loaded),
        ),
        dialects=TINKER,
    ),
    Mutant(
        "path_for_a_session",
        breaks="201",
        also=("022", "026"),
        what="a snapshot without a name returns a path and no sampling session",
        patch=around(works.SaveForSampler, "prepare", _with_path),
        dialects=TINKER,
    ),
    Mutant(
        "second_snapshot_fails",
        breaks="021",
        what="the second snapshot of a model fails",
        patch=around(works.SaveForSampler, "prepare", _once),
        dialects=TINKER,
    ),
    Mutant(
        "weight_decay_ignored",
        breaks="033",
        also=("039",),
        what="weight_decay is not read",
        patch=around(adam, "step", _no_decay),
        dialects=TINKER,
    ),
)
