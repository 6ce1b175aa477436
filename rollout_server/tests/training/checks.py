"""All checks by name: `training/01_accumulation`."""

from collections.abc import Mapping
from types import ModuleType

from rollout_conformance.rollout_server.tests.training import (
    checks_checkpoints,
    checks_sampling,
    checks_signal,
    checks_signal_runs,
    checks_state,
    checks_training,
)
from rollout_conformance.rollout_server.tests.training.support import Check

PREFIX = "check_"


def of(module: ModuleType, title: str) -> dict[str, Check]:
    return {
        f"{title}/{name.removeprefix(PREFIX)}": value for name, value in vars(module).items() if name.startswith(PREFIX)
    }


CHECKS: Mapping[str, Check] = {
    **of(checks_training, "training"),
    **of(checks_checkpoints, "checkpoints"),
    **of(checks_sampling, "sampling"),
    **of(checks_state, "state"),
    **of(checks_signal_runs, "signal"),
    **of(checks_signal, "signal"),
}
