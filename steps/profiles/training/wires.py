"""The wire of each dialect."""

from collections.abc import Mapping

from rollout_conformance.steps.profiles.training.wire import Signal, TinkerJson, Wire
from rollout_conformance.steps.profiles.training.wire_tinker import Tinker

TINKER = "tinker"
WIRES: Mapping[str, Wire] = {"signal": Signal(), "tinker-json": TinkerJson(), TINKER: Tinker()}
