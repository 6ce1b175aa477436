"""The state of one model in training. Every operation returns a new state, so that a step happens completely or not at all."""

import io
from dataclasses import dataclass, replace

import numpy as np

from rollout_conformance.rollout_server.training import adam, adapter
from rollout_conformance.rollout_server.training.adam import AdamOptions, Moments
from rollout_conformance.rollout_server.training.adapter import Shape
from rollout_conformance.rollout_server.training.base_model import Floats


@dataclass(frozen=True, slots=True)
class ModelState:
    """`gradients` is the sum since the last step and `units` what it is a sum over (tokens, or examples); None: there are none.

    `passes` counts the forward_backward calls; the masks of dropout depend on it.
    """

    shape: Shape
    parameters: Floats
    moments: Moments | None = None
    gradients: Floats | None = None
    units: float = 0.0
    step: int = 0
    passes: int = 0

    def accumulate(self, gradients: Floats, units: float) -> "ModelState":
        total = gradients if self.gradients is None else self.gradients + gradients
        return replace(self, gradients=total, units=self.units + units, passes=self.passes + 1)

    def without_gradients(self) -> "ModelState":
        return replace(self, gradients=None, units=0.0)

    def optimize(self, options: AdamOptions, gradients: Floats) -> "ModelState":
        moments = self.moments or adam.fresh(self.shape.size)
        parameters, moments = adam.step(self.parameters, gradients, moments, options)
        return replace(self, parameters=parameters, moments=moments, gradients=None, units=0.0, step=self.step + 1)

    def load(self, saved: "ModelState", *, optimizer: bool) -> "ModelState":
        """Weights and step of a checkpoint, with its moments or with fresh ones. Gradients that were not applied are dropped."""
        moments = saved.moments if optimizer else None
        return ModelState(self.shape, saved.parameters, moments, step=saved.step, passes=self.passes)

    def saved(self) -> "ModelState":
        """What a checkpoint holds."""
        return replace(self, gradients=None, units=0.0)


def create(shape: Shape, seed: int | None) -> ModelState:
    return ModelState(shape, adapter.initial(shape, seed))


def to_bytes(state: ModelState) -> bytes:
    """numpy's archive, uncompressed; nothing in it is executable."""
    arrays = {"parameters": state.parameters}
    if state.moments is not None:
        arrays |= {"m": state.moments.m, "v": state.moments.v}
    if state.gradients is not None:
        arrays["gradients"] = state.gradients
    t = state.moments.t if state.moments is not None else 0
    counts = np.array([state.shape.rank, state.step, state.passes, t], np.int64)
    target = io.BytesIO()
    np.savez(target, counts=counts, reals=np.array([state.shape.alpha, state.units]), **arrays)  # type: ignore[arg-type]
    return target.getvalue()


def from_bytes(data: bytes) -> ModelState:
    with np.load(io.BytesIO(data), allow_pickle=False) as found:
        rank, step, passes, t = (int(value) for value in found["counts"])
        alpha, units = (float(value) for value in found["reals"])
        moments = Moments(found["m"], found["v"], t) if "m" in found else None
        gradients = found.get("gradients")
        return ModelState(Shape(rank, alpha), found["parameters"], moments, gradients, units, step, passes)
