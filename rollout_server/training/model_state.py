"""The state of one model in training. Every operation returns a new state, so that a step happens completely or not at all."""

import io
import struct
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


COUNTS = struct.Struct("<qqqqdd")  # rank, step, passes, t, alpha, units


def counts(state: ModelState) -> bytes:
    t = state.moments.t if state.moments is not None else 0
    return COUNTS.pack(state.shape.rank, state.step, state.passes, t, state.shape.alpha, state.units)


def moments_bytes(moments: Moments | None) -> bytes | None:
    return None if moments is None else moments.m.tobytes() + moments.v.tobytes()


def array_bytes(array: Floats | None) -> bytes | None:
    return None if array is None else array.tobytes()


def join(packed: bytes, parameters: bytes, moments: bytes | None, gradients: bytes | None) -> ModelState:
    """A state from its parts in the database; each is little-endian float64."""
    rank, step, passes, t, alpha, units = COUNTS.unpack(packed)
    both = None if moments is None else np.frombuffer(moments, "<f8").reshape(2, -1)
    return ModelState(
        Shape(rank, alpha),
        np.frombuffer(parameters, "<f8"),
        None if both is None else Moments(both[0], both[1], t),
        None if gradients is None else np.frombuffer(gradients, "<f8"),
        units,
        step,
        passes,
    )


def to_bytes(state: ModelState, merged: Floats | None = None) -> bytes:
    """The file of a checkpoint: numpy's archive, uncompressed; nothing in it is executable. `merged` is the unembedding with the adapter in it."""
    arrays = {"parameters": state.parameters}
    if merged is not None:
        arrays["merged"] = merged
    if state.moments is not None:
        arrays |= {"m": state.moments.m, "v": state.moments.v}
    target = io.BytesIO()
    np.savez(target, counts=np.frombuffer(counts(state), np.uint8), **arrays)  # type: ignore[arg-type]
    return target.getvalue()


def from_bytes(data: bytes) -> ModelState:
    with np.load(io.BytesIO(data), allow_pickle=False) as found:
        rank, step, passes, t, alpha, _ = COUNTS.unpack(found["counts"].tobytes())
        moments = Moments(found["m"], found["v"], t) if "m" in found else None
        return ModelState(Shape(rank, alpha), found["parameters"], moments, step=step, passes=passes)
